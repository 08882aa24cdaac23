"""What tests share: statements of our own, and a worker to send them through."""
