"""Members: identifiers, e-mail addresses and notices."""
