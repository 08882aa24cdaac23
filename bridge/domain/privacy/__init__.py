"""Privacy: people named in statements, data subjects, masking and the access log."""
