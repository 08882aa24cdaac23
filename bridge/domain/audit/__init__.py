"""The Register Audit: cases, samples and snapshots."""
