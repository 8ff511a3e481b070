"""Events have their digest from the drain on, and no foreign key: storing one works out and looks up neither

Revision ID: 0018
Revises: 0017
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from webapp.domain.digests import digest_of

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

UNIQUE, FOREIGN, INDEX = "uq_events_source_id_digest", "fk_events_source_id", "ix_events_digest"
COLUMNS = ["source_id", "digest"]
_KNOWN = sa.text("digest IS NOT NULL")
# In the order of their making: of two that serve as well SQLite takes the newer one.
_INDEXES = sa.text(
    "SELECT name, sql FROM sqlite_master "
    "WHERE tbl_name = 'events' AND type = 'index' AND sql IS NOT NULL ORDER BY rowid"
)
_LAST = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
_HOUR = 3_600_000_000  # microseconds
_EVENTS = sa.table(
    "events",
    sa.column("id", sa.BigInteger),
    sa.column("source_id", sa.BigInteger),
    sa.column("digest", sa.LargeBinary),
    sa.column("received_at", sa.BigInteger),
    sa.column("body", sa.LargeBinary),
)
_WAITING = (
    sa.select(_EVENTS)
    .where(_EVENTS.c.digest.is_(None), _EVENTS.c.id > sa.bindparam("after"))
    .order_by(_EVENTS.c.id)
    .limit(1000)
)
_DUPLICATE = sa.text(
    "INSERT INTO tallies (source_id, hour, writer, received, duplicates) VALUES (:source, :hour, 16, 0, 1) "
    "ON CONFLICT (source_id, hour, writer) DO UPDATE SET duplicates = tallies.duplicates + 1"
)


def upgrade() -> None:
    # What was received is told with its duplicates from now on: both numbers only grow then.
    op.execute("UPDATE tallies SET received = received + duplicates")
    with _events() as events:
        events.drop_constraint(UNIQUE, type_="unique")
        events.drop_constraint(FOREIGN, type_="foreignkey")
        events.alter_column("digest", nullable=True)
    op.create_index(INDEX, "events", COLUMNS, unique=True, sqlite_where=_KNOWN, postgresql_where=_KNOWN)


def downgrade() -> None:
    # A release before this one wants a digest of what waits, too, and no two alike.
    connection, after = op.get_bind(), 0
    while some := connection.execute(_WAITING, {"after": after}).all():
        for row in some:
            _tell_digest(connection, row)
        after = some[-1].id
    op.drop_index(INDEX, "events")
    with _events() as events:
        events.alter_column("digest", nullable=False)
        events.create_unique_constraint(UNIQUE, COLUMNS)
        events.create_foreign_key(FOREIGN, "sources", ["source_id"], ["id"])
    op.execute("UPDATE tallies SET received = received - duplicates")


def _tell_digest(connection: sa.Connection, row: sa.Row) -> None:
    one = _EVENTS.c.id == row.id
    digest = digest_of(row.body) or b"%d" % row.id
    same = (_EVENTS.c.source_id == row.source_id) & (_EVENTS.c.digest == digest)
    if connection.scalar(sa.select(_EVENTS.c.id).where(same)) is None:
        connection.execute(sa.update(_EVENTS).where(one).values(digest=digest))
    else:
        connection.execute(sa.delete(_EVENTS).where(one))
        hour = row.received_at // _HOUR * _HOUR
        connection.execute(_DUPLICATE, {"source": row.source_id, "hour": hour})


@contextmanager
def _events() -> Iterator[BatchOperations]:
    """Changes of the table; for those of columns and constraints SQLite copies its rows to another one."""
    connection = op.get_bind()
    is_sqlite = connection.dialect.name == "sqlite"
    indexes = connection.execute(_INDEXES).all() if is_sqlite else []
    last = connection.execute(_LAST).scalar() if is_sqlite else None
    for name, _ in indexes:
        op.drop_index(name, "events")
    with op.batch_alter_table("events", table_kwargs={"sqlite_autoincrement": True}) as events:
        yield events
    for _, statement in indexes:
        op.execute(sa.text(statement))
    if is_sqlite:  # ids that were given are never given again, those of events that are gone neither
        connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'events'"))
        connection.execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', :last)"), {"last": last or 0}
        )
