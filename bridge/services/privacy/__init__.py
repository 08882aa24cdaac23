"""Privacy: erasure, subject access and retention."""
