"""Figures, measured: run with ``make bench``."""
