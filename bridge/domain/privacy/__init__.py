"""Privacy: people named in statements, redaction, masking and the access log."""
