"""Usage and budgets in the vault's database, for all replicas."""
