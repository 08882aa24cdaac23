"""Privacy: the ledger of erasures, erasure itself, subject access and retention."""
