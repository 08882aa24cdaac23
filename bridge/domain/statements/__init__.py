"""Statements: from bytes to what each means for the log, and what became of it."""
