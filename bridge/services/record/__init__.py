"""The CPD record: log, plan, links, evidence, comments, imports and membership years."""
