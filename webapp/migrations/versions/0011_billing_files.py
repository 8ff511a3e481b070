"""Uploaded billing files

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "billing_files",
        sa.Column("id", BIG, nullable=False),
        sa.Column("source_id", BIG, nullable=False),
        sa.Column("user_id", BIG),
        *[sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "name", "folder", "state")],
        *[sa.Column(name, sa.Text(), nullable=False) for name in ("encoding", "delimiter")],
        *[sa.Column(name, JSON, nullable=False) for name in ("heading", "columns")],
        sa.Column("rows", sa.Integer(), nullable=False),
        *[sa.Column(name, sa.BigInteger(), nullable=False) for name in ("place", "size")],
        *[sa.Column(name, sa.Integer(), nullable=False) for name in ("added", "updated", "refused")],
        sa.Column("error", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_billing_files"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_billing_files_source_id"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_billing_files_user_id", ondelete="SET NULL"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_billing_files_source_id", "billing_files", ["source_id"])
    op.create_index("ix_billing_files_state", "billing_files", ["state"])
    op.create_table(
        "refused_rows",
        sa.Column("id", BIG, nullable=False),
        sa.Column("file_id", BIG, nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("cells", JSON, nullable=False),
        sa.Column("problems", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refused_rows"),
        sa.ForeignKeyConstraint(["file_id"], ["billing_files.id"], name="fk_refused_rows_file_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_refused_rows_file_id", "refused_rows", ["file_id"])


def downgrade() -> None:
    op.drop_table("refused_rows")
    op.drop_table("billing_files")
