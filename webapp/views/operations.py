"""For who runs Tributary: is it alive, can it work, and what does it count.

`/healthz` and `/readyz` tell nothing of what is stored and are open. `/metrics` is not: it wants the token of
`METRICS_TOKEN`, and where none is set it answers only who asks from this machine, not through a proxy.
"""

from __future__ import annotations

import hmac
import ipaddress

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, Flask, Response, abort, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from jobs.queue import bell
from webapp.config import Settings
from webapp.extensions import csrf, db
from webapp.security import public
from webapp.services import metrics

bp = Blueprint("operations", __name__)

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via")


@bp.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """The process lives and answers."""
    return jsonify(status="ok")


@bp.get("/readyz")
@public
def readyz() -> ResponseReturnValue:
    """Whether requests can be served: the database answers and is of this version.

    The queue is reported but not required, since nothing is lost without it.
    """
    database = _database()
    broker = "ok" if bell(_settings().redis_url).hears() else "away; the sweeper does its work"
    ready = database == "ok"
    return jsonify(
        status="ready" if ready else "not ready", database=database, broker=broker
    ), 200 if ready else 503


@bp.get("/metrics")
@public
def show_metrics() -> ResponseReturnValue:
    """Counters and gauges for Prometheus, for those who may see them."""
    if not _may_see_metrics(_settings()):
        abort(404)
    rung = bell(_settings().redis_url)
    workers = metrics.Workers(
        drained=rung.counts("drained"),
        jobs=rung.counts("jobs"),
        waiting=rung.lengths(),
        reached=rung.hears(),
    )
    return Response(metrics.exposition(db.engine, workers), content_type=metrics.CONTENT_TYPE)


def _may_see_metrics(settings: Settings) -> bool:
    if settings.metrics_token:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {settings.metrics_token}".encode())
    # A proxy on this machine makes everybody look like this machine; its headers give it away.
    if any(header in request.headers for header in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _database() -> str:
    config = current_app.extensions["migrate"].migrate.get_config()
    try:
        with db.engine.connect() as connection:
            present = set(MigrationContext.configure(connection).get_current_heads())
    except SQLAlchemyError:
        return "does not answer"
    wanted = set(ScriptDirectory.from_config(config).get_heads())
    return "ok" if present == wanted else "of another version; start Tributary with `make run` to migrate it"


def _settings() -> Settings:
    settings: Settings = current_app.extensions["settings"]
    return settings


def register(app: Flask) -> None:
    """Add these addresses."""
    csrf.exempt(bp)
    app.register_blueprint(bp)
