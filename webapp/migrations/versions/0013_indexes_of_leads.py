"""Sort customers by owner, tags, MRR, company and lead dates along indexes

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TEXTS = {"owner": "owner", "company": "company", "currency": "currency", "tags": "nullif(tags, '')"}
NUMBERS = ("mrr", "lead_created_at", "free_trial_started_at")


def upgrade() -> None:
    for name, text in TEXTS.items():
        op.create_index(
            f"ix_customers_{name}", "customers", [sa.text(f"substr(lower({text}), 1, 200)"), "id"]
        )
    for name in NUMBERS:
        op.create_index(f"ix_customers_{name}", "customers", [name, "id"])


def downgrade() -> None:
    for name in (*TEXTS, *NUMBERS):
        op.drop_index(f"ix_customers_{name}", "customers")
