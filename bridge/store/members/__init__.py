"""Members: identifiers, departures and notices."""
