"""Merging, billing data and what people write on customers

Revision ID: 0004
Revises: 0003
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
STANDARD = ("name", "email", "website_url", "country", "state", "city", "zip")
TABLES = ("decisions", "kept_uuids", "edits", "notes", "plans", "subscriptions", "mrr_adjustments")


def upgrade() -> None:
    _widen_customers()
    _widen_data_source_customers()
    _widen_contacts()
    _decisions()
    _hands()
    _billing()


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_index("ix_contacts_within_id", "contacts")
    for index in ("following", "unmatched", "billing"):
        op.drop_index(f"ix_data_source_customers_{index}", "data_source_customers")
    gone = {
        "contacts": ("origin_uuid", "within_id", "own"),
        "data_source_customers": ("told", "first_seen", "last_seen", "leads", "unmatched", "updated_at"),
        "customers": (
            *("company", "lead_created_at", "free_trial_started_at", "owner", "tags"),
            *("mrr", "currency", "other_mrr", "composed"),
        ),
    }
    for table, columns in gone.items():
        for column in columns:
            op.drop_column(table, column)


def _is_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _widen_customers() -> None:
    for name in ("company", "owner", "currency"):
        op.add_column("customers", sa.Column(name, sa.Text()))
    for name in ("lead_created_at", "free_trial_started_at", "mrr"):
        op.add_column("customers", sa.Column(name, sa.BigInteger()))
    op.add_column("customers", sa.Column("tags", sa.Text(), nullable=False, server_default=""))
    op.add_column("customers", sa.Column("other_mrr", JSON))
    op.add_column("customers", sa.Column("composed", sa.Boolean(), nullable=False, server_default=sa.false()))


def _widen_data_source_customers() -> None:
    table = "data_source_customers"
    op.add_column(table, sa.Column("told", JSON, nullable=False, server_default="{}"))
    for name in ("first_seen", "last_seen", "updated_at"):
        op.add_column(table, sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column(table, sa.Column("leads", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column(table, sa.Column("unmatched", sa.Boolean(), nullable=False, server_default=sa.false()))
    pairs = ", ".join(f"'{name}', c.{name}" for name in STANDARD)
    # Until now a customer was what its one source told, so nothing has to be read again.
    if _is_postgresql():
        told = f"jsonb_strip_nulls(jsonb_build_object({pairs})) || jsonb_build_object('custom', c.custom)"
    else:
        told = f"json_patch('{{}}', json_object({pairs}, 'custom', json(c.custom)))"
    op.execute(
        f"UPDATE {table} SET told = {told}, first_seen = c.first_seen, last_seen = c.last_seen, "
        f"updated_at = c.updated_at FROM customers AS c WHERE c.id = {table}.customer_id"
    )
    _index(table, "following", ("source_id", "customer_id"), "NOT leads")
    _index(table, "unmatched", ("id",), "unmatched")
    _index(table, "billing", ("source_id", "external_id"), "kind = 'billing'", unique=True)


def _widen_contacts() -> None:
    op.add_column("contacts", sa.Column("origin_uuid", sa.Text(), nullable=False, server_default=""))
    op.add_column("contacts", sa.Column("own", JSON))
    op.add_column("contacts", sa.Column("within_id", sa.BigInteger()))
    op.execute(
        "UPDATE contacts SET origin_uuid = d.origin_uuid FROM data_source_customers AS d "
        "WHERE d.customer_id = contacts.customer_id"
    )
    _index("contacts", "within_id", ("within_id",), "within_id IS NOT NULL")


def _decisions() -> None:
    ends = [_end(name) for name in ("primary", "other")]
    _table(
        "decisions",
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *ends[0],
        *ends[1],
        sa.Column("automation_id", sa.Integer()),
        _user_id("decisions"),
        sa.Column("why", JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        *[_source("decisions", f"{name}_source_id") for name in ("primary", "other")],
    )
    for name in ("primary", "other"):
        op.create_index(f"ix_decisions_{name}_now", "decisions", [f"{name}_now"])
        op.create_index(f"ix_decisions_{name}_source_id", "decisions", [f"{name}_source_id", f"{name}_uuid"])
    op.create_index("ix_decisions_automation_id", "decisions", ["automation_id"])
    _table(
        "kept_uuids",
        sa.Column("origin_uuid", sa.Text(), nullable=False),
        sa.Column("source_id", BIG, nullable=False),
        sa.Column("uuid", sa.Text(), nullable=False),
        _source("kept_uuids"),
        sa.UniqueConstraint("origin_uuid", name="uq_kept_uuids_origin_uuid"),
        sa.UniqueConstraint("uuid", name="uq_kept_uuids_uuid"),
    )


def _end(name: str) -> list[sa.Column[Any]]:
    return [
        sa.Column(f"{name}_source_id", BIG, nullable=False),
        sa.Column(f"{name}_uuid", sa.Text(), nullable=False),
        sa.Column(f"{name}_key", sa.LargeBinary()),
        sa.Column(f"{name}_now", sa.Text(), nullable=False),
    ]


def _hands() -> None:
    _table(
        "edits",
        *_record(),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _source("edits"),
        sa.UniqueConstraint("entity", "said_of", name="uq_edits_entity_said_of"),
    )
    op.create_index("ix_edits_source_id", "edits", ["source_id"])
    op.create_index("ix_edits_origin_uuid", "edits", ["origin_uuid", "entity"])
    _table(
        "notes",
        sa.Column("uuid", sa.Text(), nullable=False),
        *_record(),
        _user_id("notes"),
        sa.Column("text", sa.Text(), nullable=False),
        *_moments(),
        _source("notes"),
        sa.UniqueConstraint("uuid", name="uq_notes_uuid"),
    )
    op.create_index("ix_notes_source_id", "notes", ["source_id"])
    op.create_index("ix_notes_said_of", "notes", ["said_of"])
    op.create_index("ix_notes_origin_uuid", "notes", ["origin_uuid", "entity", "id"])


def _record() -> list[sa.Column[Any]]:
    return [
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("said_of", sa.Text(), nullable=False),
        sa.Column("said_key", sa.LargeBinary()),
        sa.Column("origin_uuid", sa.Text(), nullable=False),
        sa.Column("source_id", BIG, nullable=False),
    ]


def _billing() -> None:
    _table(
        "plans",
        *_told(),
        sa.Column("name", sa.Text(), nullable=False),
        *_interval(),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        *_keys("plans"),
    )
    _table(
        "subscriptions",
        *_told(),
        sa.Column("origin_uuid", sa.Text(), nullable=False),
        sa.Column("plan_id", BIG),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        *_interval(),
        sa.Column("start_at", sa.BigInteger(), nullable=False),
        sa.Column("end_at", sa.BigInteger()),
        sa.Column("past_due", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("connection_uuid", sa.Text()),
        *_moments(),
        sa.ForeignKeyConstraint(["plan_id"], ["plans.id"], name="fk_subscriptions_plan_id"),
        *_keys("subscriptions"),
    )
    for name in ("origin_uuid", "plan_id", "connection_uuid"):
        op.create_index(f"ix_subscriptions_{name}", "subscriptions", [name])
    _index("subscriptions", "due_at", ("due_at",), "due_at IS NOT NULL")
    _table(
        "mrr_adjustments",
        sa.Column("source_id", BIG, nullable=False),
        sa.Column("subscription_id", BIG, nullable=False),
        sa.Column("mrr", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _user_id("mrr_adjustments"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _source("mrr_adjustments"),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["subscriptions.id"], name="fk_mrr_adjustments_subscription_id"
        ),
        sa.UniqueConstraint("subscription_id", name="uq_mrr_adjustments_subscription_id"),
    )
    op.create_index("ix_mrr_adjustments_source_id", "mrr_adjustments", ["source_id"])


def _told() -> list[sa.Column[Any]]:
    return [
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("source_id", BIG, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
    ]


def _interval() -> list[sa.Column[Any]]:
    return [
        sa.Column("interval_unit", sa.Text(), nullable=False),
        sa.Column("interval_count", sa.Integer(), nullable=False),
    ]


def _moments() -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in ("created_at", "updated_at")]


def _keys(table: str) -> list[Any]:
    return [
        _source(table),
        sa.UniqueConstraint("uuid", name=f"uq_{table}_uuid"),
        sa.UniqueConstraint("source_id", "external_id", name=f"uq_{table}_source_id_external_id"),
    ]


def _user_id(table: str) -> sa.Column[Any]:
    key = sa.ForeignKey("users.id", name=f"fk_{table}_user_id", ondelete="SET NULL")
    return sa.Column("user_id", BIG, key)


def _source(table: str, column: str = "source_id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["sources.id"], name=f"fk_{table}_{column}")


def _table(name: str, *items: Any) -> None:
    id = sa.Column("id", BIG, nullable=False)
    op.create_table(
        name, id, *items, sa.PrimaryKeyConstraint("id", name=f"pk_{name}"), sqlite_autoincrement=True
    )


def _index(table: str, name: str, columns: Sequence[str], where: str, unique: bool = False) -> None:
    some = sa.text(where)
    op.create_index(
        f"ix_{table}_{name}", table, columns, unique=unique, sqlite_where=some, postgresql_where=some
    )
