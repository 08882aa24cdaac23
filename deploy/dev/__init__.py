"""A private broker and an embedded MongoDB for development and tests."""
