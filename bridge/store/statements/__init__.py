"""Statements: the ledger, what waits, follow-up work and the outbox."""
