"""Retention per source, and since when an attribute is ignored

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sources", sa.Column("retention_days", sa.Integer(), nullable=True))
    op.add_column("sources", sa.Column("attributes_applied_at", sa.BigInteger(), nullable=True))
    op.add_column("custom_attributes", sa.Column("changed_at", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("custom_attributes", "changed_at")
    op.drop_column("sources", "attributes_applied_at")
    op.drop_column("sources", "retention_days")
