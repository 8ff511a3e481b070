"""What tables sort and search by: expressions and indexes of customers and contacts, on both databases.

PostgreSQL finds any part of a text by trigrams of its extension `pg_trgm`. SQLite does with an FTS5 table
beside each table, which holds trigrams only and is kept by triggers (`migrations/versions/0002...`).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Index, func, literal_column

from webapp.models.customer import Contact, Customer

FTS = {"customers": "customers_fts", "contacts": "contacts_fts"}
"""SQLite's trigram tables, by the table that they are about."""

_MADE = tuple(f"ix_{table}_{what}" for table in FTS for what in ("search", "custom_"))
"""How the names of the indexes begin that no model describes."""

SORTED: dict[Any, tuple[str, ...]] = {
    Customer: (
        *("email", "country", "lead_status", "external_id", "website_url", "state", "city", "zip"),
        *("owner", "company", "currency"),
    ),
    Contact: ("email", "title", "user_id", "first_name", "last_name", "phone", "linked_in", "twitter"),
}
"""Text columns that have an index of their own to sort and compare by."""


LONGEST_KEY = 200
"""Letters of a text that it is sorted by."""


def sortable(column: Any) -> ColumnElement[Any]:
    """What a text column sorts by: without case, and no longer than an index can hold."""
    return func.substr(func.lower(column), literal_column("1"), literal_column(str(LONGEST_KEY)))


def is_ours(name: str | None, type_: str, _parents: Any) -> bool:
    """Whether the models describe a table or index of the database, for Alembic (`include_name`).

    SQLite's trigram tables and PostgreSQL's trigram indexes are made by hand in a migration; the indexes of
    custom attributes while Tributary runs (`services/attribute_indexes.py`).
    """
    text = name or ""
    if type_ == "table":
        return not text.startswith(tuple(FTS.values()))
    return type_ != "index" or not text.startswith(_MADE)


for _model, _names in SORTED.items():
    _table = _model.__tablename__
    for _name in _names:
        Index(f"ix_{_table}_{_name}", sortable(getattr(_model, _name)), _model.id)
    Index(f"ix_{_table}_source_id_id", _model.source_id, _model.id)
for _column in (Customer.contacts, Customer.mrr, Customer.lead_created_at, Customer.free_trial_started_at):
    Index(f"ix_customers_{_column.key}", _column, Customer.id)
# Without tags is without a value, and stands at the end whichever way it is sorted.
TAGS = func.nullif(Customer.tags, literal_column("''"))
Index("ix_customers_tags", sortable(TAGS), Customer.id)
