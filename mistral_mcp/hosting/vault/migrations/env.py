"""Run by Alembic, with the connection and in the transaction that `database` opened."""

from alembic import context

from mistral_mcp.hosting.vault.tables import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSION_TABLE
)
context.run_migrations()
