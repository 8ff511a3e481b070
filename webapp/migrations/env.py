"""How migrations run: on the application's engine, in one transaction, one process at a time."""

from alembic import context
from flask import current_app
from sqlalchemy import text

from webapp.database import begin
from webapp.models.base import Base
from webapp.models.search import is_ours

# Any number will do, as long as every Tributary takes the same one.
ADVISORY_LOCK = 7_461_220_931


def run() -> None:
    engine = current_app.extensions["migrate"].db.engine
    with begin(engine) as connection:
        # SQLite is locked by BEGIN IMMEDIATE; who waited finds the work done and has nothing to do.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_name=is_ours,
            **current_app.extensions["migrate"].configure_args,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
