"""Access: support grants."""
