"""Regenerate: another webhook URL for a source, and the end of the old one."""

from __future__ import annotations

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.forms.sources import GRACE_CHOICES, grace_of
from webapp.security import current_user
from webapp.services import sources
from webapp.views.source_page import frame, settings, source_or_404

bp = Blueprint("webhook_urls", __name__, url_prefix="/sources/<source_id>/webhook-url")

_SAID = {
    0: "New webhook URL created. The old one stopped working.",
    3600: "New webhook URL created. The old one works for one more hour.",
    86_400: "New webhook URL created. The old one works for 24 more hours.",
}


@bp.get("/new")
def new(source_id: str) -> ResponseReturnValue:
    """Ask when the old URL shall end."""
    return _ask(source_id)


@bp.post("")
def create(source_id: str) -> ResponseReturnValue:
    """Make the new URL."""
    source = source_or_404(source_id)
    grace = grace_of(request.form.get("grace"))
    if grace is None:
        return _ask(source_id, "Choose when the old URL ends."), 422
    sources.regenerate(db.session(), settings(), source, grace, current_user.id)
    flash(_SAID[grace] + " Paste the new one into Segment.")
    return redirect(url_for("sources.settings", source_id=source.public_id, _anchor="webhook"), 303)


def _ask(source_id: str, error: str | None = None) -> str:
    context = frame(source_or_404(source_id), "settings")
    return render_template("sources/regenerate.html", grace_choices=GRACE_CHOICES, error=error, **context)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
