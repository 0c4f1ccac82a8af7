"""Stored connections: records, sealing, tokens, database."""
