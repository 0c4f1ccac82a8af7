"""Connections and their tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "mmcp_connections",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("key_hint", sa.String(4), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary),
        sa.Column("sealed_route_token", sa.LargeBinary),
        sa.Column("toolsets", sa.Text),
        sa.Column("read_only", sa.Boolean, nullable=False),
        sa.Column("route", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
    )
    op.create_table(
        "mmcp_tokens",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column(
            "connection_id",
            sa.String(16),
            sa.ForeignKey("mmcp_connections.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("wrapped_key", sa.LargeBinary),
        sa.Column("master_key", sa.String(8), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_mmcp_tokens_connection_id", "mmcp_tokens", ["connection_id"])
