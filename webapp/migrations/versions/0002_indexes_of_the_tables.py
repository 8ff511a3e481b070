"""Sort and search by index

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from webapp.database import CannotMigrate

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SORTED = {
    "customers": ("email", "country", "lead_status", "external_id", "website_url", "state", "city", "zip"),
    "contacts": ("email", "title", "user_id", "first_name", "last_name", "phone", "linked_in", "twitter"),
}


def upgrade() -> None:
    for table, columns in SORTED.items():
        # Each text begins behind two line feeds, so that one or two letters at its beginning are a trigram.
        feed = "chr(10)" if _is_postgresql() else "char(10)"
        lines = f"{feed} || {feed} || replace(search, {feed}, {feed} || {feed})"
        op.execute(f"UPDATE {table} SET search = {lines} WHERE search <> ''")
        for column in columns:
            key = sa.text(f"substr(lower({column}), 1, 200)")
            op.create_index(f"ix_{table}_{column}", table, [key, "id"])
        op.create_index(f"ix_{table}_source_id_id", table, ["source_id", "id"])
    op.create_index("ix_customers_contacts", "customers", ["contacts", "id"])
    if _is_postgresql():
        _trigrams_of_postgresql()
    else:
        _trigrams_of_sqlite()


def downgrade() -> None:
    for table, columns in SORTED.items():
        if _is_postgresql():
            op.drop_index(f"ix_{table}_search", table)
        else:
            for moment in ("insert", "update", "delete"):
                op.execute(f"DROP TRIGGER {table}_fts_{moment}")
            op.execute(f"DROP TABLE {table}_fts")
        for column in columns:
            op.drop_index(f"ix_{table}_{column}", table)
        op.drop_index(f"ix_{table}_source_id_id", table)
    op.drop_index("ix_customers_contacts", "customers")


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _trigrams_of_postgresql() -> None:
    connection = op.get_bind()
    there = sa.text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
    if connection.scalar(there) is None:
        try:
            op.execute("CREATE EXTENSION pg_trgm")
        except sa.exc.DBAPIError as error:
            raise CannotMigrate(
                "PostgreSQL does not let this user create the extension pg_trgm, which the search needs. "
                "Nothing was changed. Have an administrator run CREATE EXTENSION pg_trgm; in this database "
                "(on Debian it comes with the server's package, elsewhere with postgresql-contrib), then "
                "start again."
            ) from error
    for table in SORTED:
        op.execute(f"CREATE INDEX ix_{table}_search ON {table} USING gin (search gin_trgm_ops)")


def _trigrams_of_sqlite() -> None:
    for table in SORTED:
        fts = f"{table}_fts"
        op.execute(
            f"CREATE VIRTUAL TABLE {fts} USING fts5(search, content='{table}', content_rowid='id', "
            "tokenize='trigram case_sensitive 1', detail=none, columnsize=0)"
        )
        op.execute(f"INSERT INTO {fts}({fts}) VALUES ('rebuild')")
        add = f"INSERT INTO {fts}(rowid, search) VALUES (new.id, new.search);"
        # The index is told what it loses, since it keeps no text of its own.
        drop = f"INSERT INTO {fts}({fts}, rowid, search) VALUES ('delete', old.id, old.search);"
        moments = {
            "insert": ("INSERT", add),
            "update": (f"UPDATE OF search ON {table} WHEN old.search IS NOT new.search", drop + add),
            "delete": ("DELETE", drop),
        }
        for moment, (when, then) in moments.items():
            where = when if " ON " in when else f"{when} ON {table}"
            op.execute(f"CREATE TRIGGER {fts}_{moment} AFTER {where} BEGIN {then} END")
