"""Write keys and signatures of a source

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("webhook_urls", sa.Column("kind", sa.Text(), server_default="url", nullable=False))
    op.add_column("sources", sa.Column("signing_sealed", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM webhook_urls WHERE kind <> 'url'")
    op.drop_column("sources", "signing_sealed")
    op.drop_column("webhook_urls", "kind")
