"""Who asked for long work is told when their account is gone, too

Revision ID: 0019
Revises: 0018
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_USERS = sa.table("users", sa.column("id", sa.BigInteger), sa.column("email", sa.Text))
_SYNCS = sa.table("syncs", sa.column("user_id", sa.BigInteger), sa.column("asked_by", sa.Text))


def upgrade() -> None:
    op.add_column("syncs", sa.Column("asked_by", sa.Text(), nullable=True))
    email = sa.select(_USERS.c.email).where(_USERS.c.id == _SYNCS.c.user_id).scalar_subquery()
    op.execute(sa.update(_SYNCS).where(_SYNCS.c.user_id.is_not(None)).values(asked_by=email))


def downgrade() -> None:
    op.drop_column("syncs", "asked_by")
