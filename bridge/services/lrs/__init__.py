"""The use cases of a Learning Record Store: statements, documents, credentials, and the way to the broker."""
