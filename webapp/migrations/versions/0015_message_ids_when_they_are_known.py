"""Index the message ids of events once they are read, so that an event is stored with one entry less

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NAME, TABLE, COLUMNS = "ix_events_message_id", "events", ["source_id", "message_id"]


def upgrade() -> None:
    known = sa.text("message_id IS NOT NULL")
    op.drop_index(NAME, TABLE)
    op.create_index(NAME, TABLE, COLUMNS, sqlite_where=known, postgresql_where=known)


def downgrade() -> None:
    op.drop_index(NAME, TABLE)
    op.create_index(NAME, TABLE, COLUMNS)
