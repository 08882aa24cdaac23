"""What runs on messages and on time."""
