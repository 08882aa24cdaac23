"""PDF, CSV and ZIP: data in, bytes out; nothing here reads a store or knows a request."""
