"""Exports: booklets, data files and the whole record."""
