"""Long results and upload links."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "mmcp_results",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("sealed_meta", sa.LargeBinary),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
    )
    op.create_index("ix_mmcp_results_owner", "mmcp_results", ["owner"])
    op.create_index("ix_mmcp_results_expires_at", "mmcp_results", ["expires_at"])
    op.create_table(
        "mmcp_result_pieces",
        sa.Column(
            "result_id", sa.String(32), sa.ForeignKey("mmcp_results.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "mmcp_uploads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("sealed_caller", sa.LargeBinary),
        sa.Column("sealed_files", sa.LargeBinary),
        sa.Column("begun", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_mmcp_uploads_owner", "mmcp_uploads", ["owner"])
    op.create_index("ix_mmcp_uploads_expires_at", "mmcp_uploads", ["expires_at"])
