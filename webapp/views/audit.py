"""Settings & Data > Audit log: who did what, and when. For administrators."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.services import audit

bp = Blueprint("audit", __name__, url_prefix="/audit-log")


@bp.get("")
def index() -> ResponseReturnValue:
    """One page of the log, newest first; filter and place are in the address."""
    action = request.args.get("action", "")
    known = audit.actions(db.session())
    if action not in known:
        action = ""
    before, after = (_id(request.args.get(name, "")) for name in ("before", "after"))
    return render_template(
        "audit/index.html",
        page=audit.lines(db.session(), action, before, after),
        action=action,
        actions=[("", "Everything"), *((code, audit.label(code)) for code in known)],
    )


def _id(text: str) -> int | None:
    """A line's id from the address; what is none counts as not given."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def register(app: Flask) -> None:
    """Add this page."""
    app.register_blueprint(bp)
