"""The store of a Learning Record Store: statements by their index keys, documents, attachments."""
