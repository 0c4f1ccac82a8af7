"""OAuth: grants, their secrets as further tokens of a connection, clients that registered themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("mmcp_tokens", sa.Column("kind", sa.String(8), nullable=False, server_default="url"))
    op.add_column("mmcp_tokens", sa.Column("grant_id", sa.String(16)))
    op.add_column("mmcp_tokens", sa.Column("parent_id", sa.String(16)))
    op.add_column("mmcp_tokens", sa.Column("scopes", sa.Text))
    op.add_column("mmcp_tokens", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.create_index("ix_mmcp_tokens_grant_id", "mmcp_tokens", ["grant_id"])
    op.create_table(
        "mmcp_grants",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column(
            "connection_id",
            sa.String(16),
            sa.ForeignKey("mmcp_connections.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("client_name", sa.Text, nullable=False),
        sa.Column("redirect_uri", sa.Text, nullable=False),
        sa.Column("redirect_uri_explicit", sa.Boolean, nullable=False),
        sa.Column("code_challenge", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_mmcp_grants_connection_id", "mmcp_grants", ["connection_id"])
    op.create_table(
        "mmcp_clients",
        sa.Column("client_id", sa.String(64), primary_key=True),
        sa.Column("described", sa.Text, nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_mmcp_clients_created_at", "mmcp_clients", ["created_at"])
