"""What connections use, and their budgets."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_SUMS = (
    "calls",
    "errors",
    "shared_calls",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cached_tokens",
    "pages",
    "milliseconds",
    "characters",
    "cost",
)


def upgrade() -> None:
    op.add_column("mmcp_connections", sa.Column("budget_usd", sa.Double))
    op.add_column("mmcp_connections", sa.Column("budget_calls_per_day", sa.Integer))
    op.create_table(
        "mmcp_usage",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("day", sa.String(10), primary_key=True),
        sa.Column("tool", sa.String(64), primary_key=True),
        sa.Column("model", sa.String(100), primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in _SUMS),
    )
    op.create_index("ix_mmcp_usage_day", "mmcp_usage", ["day"])
    op.create_table(
        "mmcp_done",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_mmcp_done_created_at", "mmcp_done", ["created_at"])
    op.create_table(
        "mmcp_allowances",
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("holder", sa.String(32), primary_key=True),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_mmcp_allowances_expires_at", "mmcp_allowances", ["expires_at"])
