"""Automations

Revision ID: 0012
Revises: 0011
"""

import time
import uuid
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from webapp.domain.matching import FREE_MAIL

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
FIRST = "Merge customers imported from Segment with matching customers of the billing system"


def upgrade() -> None:
    automations = _table(
        "automations",
        sa.Column("uuid", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("switched_on", sa.Boolean(), nullable=False),
        sa.Column("keys", JSON, nullable=False),
        sa.Column("conditions", JSON, nullable=False),
        sa.Column("segment_source_id", BIG),
        sa.Column("billing_source_id", BIG),
        sa.Column("user_id", BIG),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        _to("automations", "segment_source_id", "sources"),
        _to("automations", "billing_source_id", "sources"),
        _to("automations", "user_id", "users", "SET NULL"),
        sa.UniqueConstraint("uuid", name="uq_automations_uuid"),
    )
    domains = _table(
        "free_mail_domains",
        sa.Column("domain", sa.Text(), nullable=False),
        sa.UniqueConstraint("domain", name="uq_free_mail_domains_domain"),
        autoincrement=False,
    )
    _table(
        "match_keys",
        sa.Column("data_source_customer_id", BIG, nullable=False),
        sa.Column("source_id", BIG, nullable=False),
        sa.Column("billing", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        _to("match_keys", "data_source_customer_id", "data_source_customers", "CASCADE"),
        _to("match_keys", "source_id", "sources"),
        sa.UniqueConstraint(
            "data_source_customer_id", "kind", name="uq_match_keys_data_source_customer_id_kind"
        ),
        autoincrement=False,
    )
    op.create_index("ix_match_keys_value", "match_keys", ["kind", "value", "billing"])
    op.create_index("ix_match_keys_source_id", "match_keys", ["source_id"])
    _matches()
    _runs()
    _first(automations, domains)


def downgrade() -> None:
    for table in ("automation_runs", "matches", "match_keys", "free_mail_domains", "automations"):
        op.drop_table(table)


def _matches() -> None:
    _table(
        "matches",
        sa.Column("automation_id", BIG, nullable=False),
        sa.Column("data_source_customer_id", BIG, nullable=False),
        sa.Column("candidate_id", BIG, nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("rivals", sa.Integer(), nullable=False),
        sa.Column("keys", JSON, nullable=False),
        sa.Column("ambiguous", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        _to("matches", "automation_id", "automations", "CASCADE"),
        _to("matches", "data_source_customer_id", "data_source_customers", "CASCADE"),
        _to("matches", "candidate_id", "data_source_customers", "CASCADE"),
        sa.UniqueConstraint(
            "automation_id",
            "data_source_customer_id",
            name="uq_matches_automation_id_data_source_customer_id",
        ),
    )
    op.create_index("ix_matches_data_source_customer_id", "matches", ["data_source_customer_id"])
    op.create_index("ix_matches_candidate_id", "matches", ["candidate_id"])
    op.create_index("ix_matches_automation_id_ambiguous", "matches", ["automation_id", "ambiguous", "id"])


def _runs() -> None:
    _table(
        "automation_runs",
        sa.Column("automation_id", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("result", JSON, nullable=False),
        sa.Column("user_id", BIG),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger()),
        sa.Column("finished_at", sa.BigInteger()),
        _to("automation_runs", "automation_id", "automations", "CASCADE"),
        _to("automation_runs", "user_id", "users", "SET NULL"),
    )
    op.create_index("ix_automation_runs_automation_id", "automation_runs", ["automation_id"])
    op.create_index("ix_automation_runs_state", "automation_runs", ["state"])


def _first(automations: sa.Table, domains: sa.Table) -> None:
    """A new account has the automation present, switched off."""
    moment = time.time_ns() // 1000
    rule = {"uuid": str(uuid.uuid4()), "name": FIRST, "switched_on": False, "keys": ["email", "domain"]}
    op.bulk_insert(automations, [rule | {"conditions": [], "created_at": moment, "updated_at": moment}])
    op.bulk_insert(domains, [{"domain": domain} for domain in FREE_MAIL])


def _to(table: str, column: str, other: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}", ondelete=ondelete)


def _table(name: str, *items: Any, autoincrement: bool = True) -> sa.Table:
    return op.create_table(
        name,
        sa.Column("id", BIG, nullable=False),
        *items,
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
        sqlite_autoincrement=autoincrement,
    )
