"""Custom attributes that are indexed

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# A Timestamp as microseconds since the epoch. PostgreSQL's own casts may stand in no index, since they heed
# the session's zone, and refuse what they cannot read; an index that refuses a value would lose its row. So
# this one depends on nothing and answers to every text: NULL to what is no Timestamp, and some instant to a
# day that does not exist. The first form is what nearly all have, and several times as fast.
INSTANT = """
CREATE FUNCTION tributary_instant(told text) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  p text[];
BEGIN
  IF told ~ ('^(?!0000)[0-9]{4}-(?:0[1-9]|1[0-2])-(?:[01][1-9]|10|2[0-8])'
             '(?:T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?Z)?$') THEN
    RETURN extract(epoch FROM told::timestamp) * 1000000;
  END IF;
  p := regexp_match(told, '^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})'
                          '(?:[.,]([0-9]{1,6})[0-9]*)?)?(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?)?$');
  IF p IS NULL THEN
    RETURN NULL;
  END IF;
  RETURN extract(epoch FROM make_date(greatest(p[1]::int, 1), 1, 1)
                 + make_interval(months => p[2]::int - 1, days => p[3]::int - 1))::bigint * 1000000
    + (coalesce(p[4]::bigint, 0) * 3600 + coalesce(p[5]::int, 0) * 60 + coalesce(p[6]::int, 0)
       - coalesce((p[8] || '1')::int * (p[9]::int * 3600 + coalesce(p[10]::int, 0) * 60), 0)) * 1000000
    + coalesce(rpad(p[7], 6, '0')::int, 0);
END $$
"""


def upgrade() -> None:
    op.create_table(
        "attribute_indexes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("shape", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attribute_indexes")),
        sa.UniqueConstraint("entity", "key", name=op.f("uq_attribute_indexes_entity_key")),
        sqlite_autoincrement=True,
    )
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(INSTANT)


def downgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    catalog = "indexname FROM pg_indexes" if is_postgresql else "name FROM sqlite_master"
    for name in op.get_bind().execute(sa.text(f"SELECT {catalog}")).scalars().all():
        if name.startswith(("ix_customers_custom_", "ix_contacts_custom_")):
            op.execute(f"DROP INDEX {name}")
    op.drop_table("attribute_indexes")
    if is_postgresql:
        op.execute("DROP FUNCTION tributary_instant")
