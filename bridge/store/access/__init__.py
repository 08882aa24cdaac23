"""Access: the access log and support grants."""
