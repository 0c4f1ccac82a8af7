"""A digest of each connection's key, to count the connections of one key; filled in when a connection is used."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("mmcp_connections", sa.Column("key_digest", sa.LargeBinary))
    op.create_index("ix_mmcp_connections_key_digest", "mmcp_connections", ["key_digest"])
