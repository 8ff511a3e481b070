"""Where a source's traits go

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("sources", sa.Column("mapping", JSON, nullable=True))
    op.add_column("sources", sa.Column("applied_mapping", JSON, nullable=True))
    op.add_column("syncs", sa.Column("mapping", JSON, nullable=True))
    op.add_column("syncs", sa.Column("previous_mapping", JSON, nullable=True))
    op.create_table(
        "path_sightings",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_event_id", sa.BigInteger(), nullable=False),
        sa.Column("last_event_id", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_path_sightings_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_path_sightings")),
        sa.UniqueConstraint(
            "source_id",
            "generation",
            "path",
            "call",
            "name",
            name=op.f("uq_path_sightings_source_id_generation_path_call_name"),
        ),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    op.drop_table("path_sightings")
    op.drop_column("syncs", "previous_mapping")
    op.drop_column("syncs", "mapping")
    op.drop_column("sources", "applied_mapping")
    op.drop_column("sources", "mapping")
