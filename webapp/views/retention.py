"""How long a source keeps its raw events: the choice, and what it costs."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.models import Source
from webapp.security import current_user
from webapp.services import retention, sources
from webapp.views.source_page import frame, settings, source_or_404

bp = Blueprint("retention", __name__, url_prefix="/sources/<source_id>/retention")

USUAL = 90  # days that the form offers first
ALWAYS, FOR_DAYS = "always", "days"


@bp.get("")
def show(source_id: str) -> ResponseReturnValue:
    """The form by itself."""
    return _page(source_or_404(source_id))


@bp.post("")
def update(source_id: str) -> ResponseReturnValue:
    """Save the choice. What is erased cannot be brought back, so that has to be said to be understood."""
    source = source_or_404(source_id)
    try:
        chosen = _chosen()
        if retention.choose(db.session(), settings(), source, chosen, current_user.id):
            flash("Saved. Older events are erased within the hour." if chosen else "Saved.")
        else:
            flash("Nothing was changed.")
    except sources.Refused as refused:
        return _page(source, {refused.field: str(refused)}), 422
    return redirect(url_for("sources.settings", source_id=source.public_id, _anchor="retention"), 303)


def _chosen() -> int | None:
    """The days that the form asks for; None for always."""
    keep, days = request.form.get("keep"), request.form.get("days", "").strip()
    if keep == ALWAYS:
        return None
    if keep != FOR_DAYS:
        raise sources.Refused("keep", "Choose one of the two.")
    if not (days.isascii() and days.isdigit() and len(days) < 7):
        raise sources.Refused("days", "Type a whole number of days.")
    if not request.form.get("understood"):
        raise sources.Refused("understood", "Tick this to go on: what is erased cannot be brought back.")
    return int(days)


def context(source: Source) -> dict[str, Any]:
    """What `sources/_retention.html` shows of a source that was not just posted."""
    limit = settings().retention_days
    days = source.retention_days or limit or USUAL
    return {
        "keep": FOR_DAYS if source.retention_days else ALWAYS,
        "days": str(days),
        "limit": limit,
        "kept": retention.days(source.retention_days, settings()),
        "older": retention.older(db.session(), source, days),
        "errors": {},
    }


def _page(source: Source, errors: dict[str, str] | None = None) -> str:
    shown = context(source)
    if errors is not None:
        typed = {"keep": request.form.get("keep", ""), "days": request.form.get("days", "")}
        shown |= typed | {"errors": errors}
    return render_template("sources/retention.html", retention=shown, **frame(source, "settings"))


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
