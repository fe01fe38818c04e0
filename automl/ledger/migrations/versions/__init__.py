"""One revision of the ledger's tables per file."""
