"""The gate of the API: which key a call comes with, what that key may do, and how often."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import structlog
from flask import Blueprint, Flask, current_app, g, request
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from webapp.extensions import db
from webapp.security import KEY_READS, KEY_WRITES
from webapp.services import api_keys, audit
from webapp.services.api_keys import Caller
from webapp.services.transactions import write
from webapp.views.api import answers, limits
from webapp.views.api.answers import ApiError

log = structlog.get_logger(__name__)


def guard(bp: Blueprint) -> None:
    """Ask for a key before every view of a blueprint, and say what went wrong as JSON."""
    bp.before_request(_ask_for_key)
    bp.errorhandler(ApiError)(answers.refusal)


def open_to(app: Flask) -> None:
    """Count the calls to an application from now on."""
    app.extensions["api_buckets"] = limits.Buckets(limits.A_SECOND, limits.AT_ONCE)


def caller() -> Caller:
    """Whose call this is, in a view that a key opened."""
    return cast(Caller, g.api_caller)


@contextmanager
def acting() -> Iterator[None]:
    """Inside this block lines of the audit log tell of the key."""
    with audit.acting(audit.API_KEY + caller().name):
        yield


@contextmanager
def changing() -> Iterator[Connection]:
    """One write transaction of this call: committed at the end of the block, rolled back when it raises."""
    session = db.session()
    with acting(), write(session):
        yield session.connection()


def _ask_for_key() -> None:
    access = getattr(current_app.view_functions[request.endpoint or ""], "access", None)
    if access == "public":
        _count(f"address {request.remote_addr}")
        return
    found = _caller()
    if found is None:
        _count(f"address {request.remote_addr}")
        raise ApiError(401)
    _count(f"key {found.id}")
    # Denied by default: a view that does not say which keys open it is opened by none.
    if access != KEY_READS and not (access == KEY_WRITES and found.may_write):
        raise ApiError(403)
    g.api_caller = found
    if found.stale:
        _touch(found)


def _caller() -> Caller | None:
    told = request.authorization
    if told is None or told.type != "basic" or not told.username:
        return None
    return api_keys.caller(db.engine, told.username)


def _count(who: str) -> None:
    buckets: limits.Buckets = current_app.extensions["api_buckets"]
    if wait := buckets.take(who):
        raise ApiError(429, headers={"Retry-After": str(math.ceil(wait))})


def _touch(found: Caller) -> None:
    try:
        api_keys.touch(db.engine, found.id)
    except OperationalError:
        log.info("api_key_use_not_noted", reason="the database was busy; the next call tries again")
