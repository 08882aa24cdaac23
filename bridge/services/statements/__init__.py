"""Statements: recording them, bringing them from another LRS, and follow-up work."""
