"""One use case family a file; services take stores by constructor."""
