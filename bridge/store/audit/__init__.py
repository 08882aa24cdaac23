"""The Register Audit: cases, samples and submissions."""
