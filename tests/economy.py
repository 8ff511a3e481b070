"""What keeps the suite quick, and each of its tests apart from the next."""

from __future__ import annotations

import gc
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType
from typing import Any
from weakref import WeakSet

from argon2 import PasswordHasher
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from sqlalchemy import Connection, Engine, event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from jobs.tending import TENDING
from webapp import routes
from webapp.app import Dashboard
from webapp.checkpoints import CHECKPOINT
from webapp.services import passwords

MEMORY = Path("/dev/shm")
ROOM = 4 * 1024**3
"""Bytes that have to be free in memory before tests keep their files there."""
_used: WeakSet[Engine] = WeakSet()


def keep_files_in_memory() -> None:
    """Have temporary folders lie in memory, here and in processes that are started from here.

    Nothing in them outlives the tests, and waiting for a disk at every commit is most of what some of them
    would do. A `TMPDIR` that somebody has set stays.
    """
    if "TMPDIR" in os.environ or not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        return
    os.environ["TMPDIR"] = str(MEMORY)
    tempfile.tempdir = None  # asked before, it would still be the old one


def keep_compiled_modules() -> None:
    """Have Python write down what it compiles, here and in programs that are started from here.

    Where a machine's settings tell it not to, as those of containers often do, each of the hundreds of
    programs that tests start would compile all of ours anew: a third of what its start costs.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False


def look_for_garbage_seldom() -> None:
    """Have Python wait for more of it: the trees of pages are large, full of circles, and no garbage yet.

    A tenth of what reads pages is otherwise spent looking; what is not looked for takes some ten megabytes.
    """
    gc.set_threshold(50_000, 20, 10)


class Compiled(BytecodeCache):
    """Templates as code, kept for every application of this process, since each test makes its own."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Jinja asks for a template that this application has not loaded yet."""
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Jinja hands over what it compiled."""
        assert bucket.code is not None
        self._kept[bucket.key, bucket.checksum] = bucket.code


class Route(routes.Route):
    """A route that is read, and its code, which makes addresses, written, once for all applications."""

    _kept: dict[Any, dict[str, Any]] = {}

    def compile(self) -> None:
        """Take over what the same route of another application is made of."""
        if self.defaults:  # which stand in the code
            super().compile()
            return
        key = (self.rule, self.subdomain, self.host, self.merge_slashes)
        if key not in self._kept:
            super().compile()
            made = ("_parts", "_trace", "_converters", "arguments")
            builders = {name: getattr(self, name).__func__ for name in ("_build", "_build_unknown")}
            self._kept[key] = {name: getattr(self, name) for name in made} | builders
            return
        vars(self).update(self._kept[key])
        self._build = self._build.__get__(self)
        self._build_unknown = self._build_unknown.__get__(self)


def compile_once() -> None:
    """Have every application that is made from here on share its compiled templates and routes."""
    Dashboard.jinja_options = {"bytecode_cache": Compiled()}
    Dashboard.url_rule_class = Route


HASHED_AS_IN_EARNEST = passwords._hasher


def hash_cheaply() -> None:
    """Keep passwords as argon2id still, but of the least strength: each takes 0.3 s in earnest.

    Tests that are about the hashes ask for the fixture `in_earnest`.
    """
    passwords._hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class _Alike:
    """A dialect that is equal to one that was made with the same options, so that they share statements."""

    supports_statement_cache = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._made_of = (type(self), *sorted(options.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Alike) and self._made_of == other._made_of

    def __hash__(self) -> int:
        return hash(self._made_of)


class SQLite(_Alike, SQLiteDialect_pysqlite):
    """SQLite's, of which each engine has one."""

    supports_statement_cache = True


class PostgreSQL(_Alike, PGDialect_psycopg):
    """PostgreSQL's, of which each engine has one; the servers of a session are of one version."""

    supports_statement_cache = True


_statements: LRUCache[Any, Any] = LRUCache(4000)


def statements_once() -> None:
    """Have engines take statements that another engine has compiled, as they take their own.

    Each test has an engine or two of its own, and to put a page's statements together takes longer than all
    else that it does.
    """
    registry.register("sqlite", __name__, "SQLite")
    registry.register("postgresql.psycopg", __name__, "PostgreSQL")


@event.listens_for(Engine, "engine_connect")
def _remember(connection: Connection) -> None:
    _used.add(connection.engine)
    if isinstance(connection.dialect, _Alike):
        connection.engine._compiled_cache = _statements


@contextmanager
def connections_closed() -> Iterator[None]:
    """Close what the block opened through any engine, whoever made it.

    A connection that is left to the garbage collector is closed in the middle of some later test, which then
    fails for it.
    """
    before = set(_used)
    try:
        yield
    finally:
        for engine in set(_used) - before:
            engine.dispose()
            _used.discard(engine)


def threads_ended() -> None:
    """Wait for what goes on in a thread of its own, which may only now be about to connect."""
    for thread in threading.enumerate():
        if thread.name in (TENDING, CHECKPOINT):
            thread.join()
