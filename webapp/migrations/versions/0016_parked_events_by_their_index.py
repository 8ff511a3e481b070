"""Make SQLite's small index of parked events anew, behind that of all events

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of two indexes that promise the same SQLite takes the younger one. It was that of all events, so whoever
    # asked for the parked ones of a source had all of them read.
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_events_parked", "events")
        parked = sa.text("state = 3")
        op.create_index("ix_events_parked", "events", ["source_id", "id"], sqlite_where=parked)


def downgrade() -> None:
    pass
