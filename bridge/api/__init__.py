"""The HTTP API: a file a resource, and the middleware that serves them all."""
