"""Events have their digest from the drain on, and no foreign key: storing one works out and looks up neither

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from webapp.domain import digests

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

UNIQUE, FOREIGN, INDEX = "uq_events_source_id_digest", "fk_events_source_id", "ix_events_digest"
COLUMNS = ["source_id", "digest"]
_KNOWN = sa.text("digest IS NOT NULL")
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_HOUR = 3_600_000_000  # microseconds
_EVENTS = sa.table(
    "events",
    sa.column("id", sa.BigInteger),
    sa.column("source_id", sa.BigInteger),
    sa.column("digest", sa.LargeBinary),
    sa.column("received_at", sa.BigInteger),
    sa.column("body", sa.LargeBinary),
)
_DUPLICATE = sa.text(
    "INSERT INTO tallies (source_id, hour, writer, received, duplicates) VALUES (:source, :hour, 16, 0, 1) "
    "ON CONFLICT (source_id, hour, writer) DO UPDATE SET duplicates = tallies.duplicates + 1"
)


def upgrade() -> None:
    # What was received is told with its duplicates from now on: both numbers only grow then.
    op.execute("UPDATE tallies SET received = received + duplicates")
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(UNIQUE, "events")
        op.drop_constraint(FOREIGN, "events")
        op.alter_column("events", "digest", nullable=True)
    else:
        _make_anew(sa.Column("digest", sa.LargeBinary(), nullable=True))
    op.create_index(INDEX, "events", COLUMNS, unique=True, sqlite_where=_KNOWN, postgresql_where=_KNOWN)


def downgrade() -> None:
    # A release before this one wants a digest of what waits, too, and no two alike.
    connection = op.get_bind()
    waiting = connection.execute(sa.select(_EVENTS).where(_EVENTS.c.digest.is_(None)).order_by(_EVENTS.c.id))
    for row in waiting.all():
        one = _EVENTS.c.id == row.id
        digest = _digest(row)
        same = (_EVENTS.c.source_id == row.source_id) & (_EVENTS.c.digest == digest)
        if connection.scalar(sa.select(_EVENTS.c.id).where(same)) is None:
            connection.execute(sa.update(_EVENTS).where(one).values(digest=digest))
        else:
            connection.execute(sa.delete(_EVENTS).where(one))
            hour = row.received_at // _HOUR * _HOUR
            connection.execute(_DUPLICATE, {"source": row.source_id, "hour": hour})
    op.drop_index(INDEX, "events")
    if connection.dialect.name == "postgresql":
        op.alter_column("events", "digest", nullable=False)
        op.create_unique_constraint(UNIQUE, "events", COLUMNS)
        op.create_foreign_key(FOREIGN, "events", "sources", ["source_id"], ["id"])
    else:
        _make_anew(
            sa.Column("digest", sa.LargeBinary(), nullable=False),
            sa.UniqueConstraint(*COLUMNS, name=UNIQUE),
            sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=FOREIGN),
        )
    op.execute("UPDATE tallies SET received = received - duplicates")


def _digest(row: sa.Row[tuple[int, int, bytes, int, bytes]]) -> bytes:
    try:
        return digests.digest(row.body)
    except ValueError:  # nothing that the webhook let in; nobody can send it again
        return b"%d" % row.id


def _make_anew(digest: sa.Column[bytes], *constraints: sa.Constraint) -> None:
    """SQLite changes no column and no constraint of a table that is there: its rows go to another one."""
    connection = op.get_bind()
    indexes = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'events' AND type = 'index' AND sql IS NOT NULL"
    ).all()
    last = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'events'").scalar() or 0
    op.rename_table("events", "events_before")
    table = op.create_table("events", *_columns(digest), *constraints, sqlite_autoincrement=True)
    names = ", ".join(table.c.keys())
    op.execute(f"INSERT INTO events ({names}) SELECT {names} FROM events_before ORDER BY id")
    op.drop_table("events_before")
    # Ids that were given are never given again, those of events that are gone neither.
    op.execute("DELETE FROM sqlite_sequence WHERE name = 'events'")
    op.execute(f"INSERT INTO sqlite_sequence (name, seq) VALUES ('events', {int(last)})")
    for _, statement in indexes:
        op.execute(sa.text(statement))


def _columns(digest: sa.Column[bytes]) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", _BIG, nullable=False),
        sa.Column("source_id", _BIG, nullable=False),
        digest,
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("message_id", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.LargeBinary(), nullable=True),
        sa.Column("company", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("warnings", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
    ]
