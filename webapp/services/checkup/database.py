"""The database: reachable, of a version that will do, set up as it must be, and migrated."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from webapp.config import Settings
from webapp.services.checkup import OK, PROBLEM, WARNING, Finding

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
LEAST_SQLITE = (3, 35)  # upserts with RETURNING
LEAST_POSTGRESQL = 13
MOST_DRIFT = 5.0  # seconds between two clocks
MOST_CHECKED = 256 * 1024 * 1024  # bytes of a SQLite file that are looked through
_UP_TO_DATE = "python -m jobs.up --prepare (make run does it too)"


def reachable(settings: Settings, engine: Engine) -> Finding | None:
    """What keeps the database from answering; None when it answers."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        if url.database and url.database != ":memory:" and not Path(url.database).is_file():
            return Finding(
                "Database", PROBLEM, f"There is no file {url.database}.", f"Make it: {_UP_TO_DATE}"
            )
        fix = (
            "See that this user may read and write the file and its directory, then restore a backup if not."
        )
    else:
        fix = "Check DATABASE_URL, and that the server runs and lets this user in."
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        # The error's own text may hold the password.
        kind = type(getattr(error, "orig", None) or error).__name__
        place = url.database if url.host is None else f"{url.host}:{url.port or 5432}"
        return Finding("Database", PROBLEM, f"{place} does not answer ({kind}).", fix)
    return None


def server(connection: Connection) -> Iterator[Finding]:
    """Version and set-up of the database."""
    if connection.dialect.name == "sqlite":
        yield from _sqlite(connection)
    else:
        yield from _postgresql(connection)


def migrations(connection: Connection) -> Iterator[Finding]:
    """Whether the tables are those of this version of the code."""
    present = set(MigrationContext.configure(connection).get_current_heads())
    script = ScriptDirectory(str(MIGRATIONS))
    wanted = set(script.get_heads())
    if present == wanted:
        yield Finding("Migrations", OK, f"At {', '.join(sorted(present))}.")
    elif present - {revision.revision for revision in script.walk_revisions()}:
        yield Finding(
            "Migrations",
            PROBLEM,
            "The tables are of a newer version than the code.",
            "Start the newer code, or restore the backup made before the upgrade (docs/upgrade.md).",
        )
    else:
        said = "are of an older version than the code" if present else "are not there yet"
        yield Finding("Migrations", PROBLEM, f"The tables {said}.", _UP_TO_DATE)


def clock(connection: Connection) -> Iterator[Finding]:
    """Whether this machine's clock can be right."""
    fix = "Set the clock, and keep it set: timedatectl set-ntp true"
    if connection.dialect.name == "postgresql":
        theirs = connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())"))
        drift = time.time() - float(theirs)
        if abs(drift) > MOST_DRIFT:
            said = f"This machine and the database's differ by {abs(drift):,.0f} s."
            yield Finding("Clock", WARNING, said, fix)
            return
    newest = connection.scalar(text("SELECT max(last_event_at) FROM sources"))
    ahead = (newest or 0) / 1_000_000 - time.time()
    if ahead > MOST_DRIFT:
        said = f"The latest event was received {ahead:,.0f} s from now: the clock was, or is, wrong."
        yield Finding("Clock", WARNING, said, fix)
    else:
        yield Finding("Clock", OK, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def _sqlite(connection: Connection) -> Iterator[Finding]:
    version = str(connection.scalar(text("SELECT sqlite_version()")))
    if tuple(map(int, version.split(".")[:2])) < LEAST_SQLITE:
        yield Finding(
            "Database", PROBLEM, f"SQLite {version} is too old.", "Use a Python with SQLite 3.35 or newer."
        )
    else:
        yield Finding("Database", OK, f"SQLite {version}.")
    journal = connection.scalar(text("PRAGMA journal_mode"))
    synchronous = connection.scalar(text("PRAGMA synchronous"))
    if journal == "wal" and synchronous == 2:
        yield Finding("Durability", OK, "Write-ahead log, synchronous=FULL.")
    else:
        yield Finding(
            "Durability",
            PROBLEM,
            f"journal_mode is {journal} and synchronous {synchronous}; wal and 2 keep what was answered 200.",
            "Keep the file on a local disk (not NFS or SMB), or use PostgreSQL.",
        )
    size = int(
        connection.scalar(text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"))
    )
    if size <= MOST_CHECKED:
        found = connection.scalar(text("PRAGMA quick_check(1)"))
        if found != "ok":
            yield Finding(
                "File", PROBLEM, "The database file is damaged.", "Stop, and restore a backup: docs/backup.md"
            )
        else:
            yield Finding("File", OK, f"{size / 1024 / 1024:,.1f} MiB, undamaged.")
    else:
        yield Finding("File", OK, f"{size / 1024 / 1024:,.0f} MiB; too large to be looked through here.")


def _postgresql(connection: Connection) -> Iterator[Finding]:
    number = int(str(connection.scalar(text("SHOW server_version_num"))))
    version = str(connection.scalar(text("SHOW server_version")))
    if number // 10_000 < LEAST_POSTGRESQL:
        fix = f"Upgrade the server to {LEAST_POSTGRESQL} or newer."
        yield Finding("Database", PROBLEM, f"PostgreSQL {version} is too old.", fix)
    else:
        yield Finding("Database", OK, f"PostgreSQL {version}.")
    if connection.scalar(text("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")) is None:
        fix = "As the database's owner, or else an administrator: CREATE EXTENSION pg_trgm; in this database."
        yield Finding("Search", PROBLEM, "The extension pg_trgm is missing, which the search needs.", fix)
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding == "UTF8":
        yield Finding("Encoding", OK, "UTF8.")
    else:
        fix = "Make a database with ENCODING 'UTF8' TEMPLATE template0, and move the data there."
        yield Finding("Encoding", PROBLEM, f"{encoding} cannot hold every name.", fix)
    if (
        connection.scalar(text("SHOW fsync")) != "on"
        or connection.scalar(text("SHOW synchronous_commit")) == "off"
    ):
        yield Finding(
            "Durability",
            PROBLEM,
            "fsync or synchronous_commit is off: what was answered 200 may be lost with the machine.",
            "Set both to on in postgresql.conf.",
        )
    else:
        yield Finding("Durability", OK, "fsync and synchronous_commit are on.")
