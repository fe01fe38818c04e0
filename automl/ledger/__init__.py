"""The ledger: our SQL tables, the truth about every trial."""
