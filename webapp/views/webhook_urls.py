"""Regenerate: another webhook URL or write key for a source, and the end of the old one."""

from __future__ import annotations

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.forms.sources import GRACE_CHOICES, grace_of
from webapp.models.source import KEY, URL
from webapp.security import current_user
from webapp.services import sources
from webapp.views.source_page import frame, settings, source_or_404

bp = Blueprint("webhook_urls", __name__, url_prefix="/sources/<source_id>")

_SAID = {
    0: "The old one stopped working.",
    3600: "The old one works for one more hour.",
    86_400: "The old one works for 24 more hours.",
}
_NEW = {
    URL: ("New webhook URL created.", "Paste the new one into Segment."),
    KEY: ("New write key created.", "Give the new one to whoever sends."),
}
_ANCHORS = {URL: "webhook", KEY: "write-key"}


@bp.get("/webhook-url/new", defaults={"kind": URL})
@bp.get("/write-key/new", defaults={"kind": KEY})
def new(source_id: str, kind: str) -> ResponseReturnValue:
    """Ask when the old one shall end."""
    return _ask(source_id, kind)


@bp.post("/webhook-url", defaults={"kind": URL})
@bp.post("/write-key", defaults={"kind": KEY})
def create(source_id: str, kind: str) -> ResponseReturnValue:
    """Make the new one."""
    source = source_or_404(source_id)
    session = db.session()
    is_first = sources.live_url(session, source, kind) is None
    grace = 0 if is_first else grace_of(request.form.get("grace"))
    if grace is None:
        return _ask(source_id, kind, "Choose when the old one ends."), 422
    sources.regenerate(session, settings(), source, grace, current_user.id, kind)
    created, then = _NEW[kind]
    flash(created if is_first else f"{created} {_SAID[grace]} {then}")
    return redirect(url_for("sources.settings", source_id=source.public_id, _anchor=_ANCHORS[kind]), 303)


def _ask(source_id: str, kind: str, error: str | None = None) -> str:
    context = frame(source_or_404(source_id), "settings")
    return render_template(
        "sources/regenerate.html", grace_choices=GRACE_CHOICES[kind], kind=kind, error=error, **context
    )


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
