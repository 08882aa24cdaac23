"""The CPD record: plan items, log entries, their forms, membership years and files."""
