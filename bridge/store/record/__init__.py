"""The CPD record: entries, plan items, comments and evidence."""
