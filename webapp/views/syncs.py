"""Re-sync data and Rebuild from events: what will change, the progress, and the way out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.models import Source, Sync
from webapp.models.source import POLICIES
from webapp.security import current_user, go_to, viewer_may
from webapp.services import attribute_changes, long_work, previews, sync_log, syncs
from webapp.services.sources import Refused
from webapp.views.arguments import row_id
from webapp.views.source_page import frame, is_part, source_or_404, start

bp = Blueprint("syncs", __name__, url_prefix="/sources/<source_id>/syncs")

KINDS = ("resync", "rebuild")


@bp.get("/new")
def new(source_id: str) -> ResponseReturnValue:
    """Show what will change before it happens."""
    source = source_or_404(source_id)
    kind = "rebuild" if request.args.get("kind") == "rebuild" else "resync"
    shown = {
        "preview": previews.preview(db.session(), source, source.policy),
        "pending": attribute_changes.pending(db.session(), source),
    }
    template = "syncs/_question.html" if is_part() else "syncs/new.html"
    return render_template(template, kind=kind, **shown, **frame(source, "settings"))


@bp.post("")
def create(source_id: str) -> ResponseReturnValue:
    """Begin; whoever asks while work is under way sees the one that runs, and is told so."""
    source = source_or_404(source_id)
    kind = request.form.get("kind", "resync")
    if kind not in KINDS:
        abort(400)
    try:
        asked = long_work.begin(db.session(), source, kind, current_user.id)
    except Refused as refused:
        flash(str(refused), "error")
        return go_to(url_for("sources.settings", source_id=source.public_id))
    start(asked.sync)
    flash(sync_log.begun_in_words(asked.sync, kind, asked.is_new, asked.fits))
    return go_to(url_for("sources.settings", source_id=source.public_id, _anchor="sync"))


@bp.get("")
@viewer_may
def index(source_id: str) -> ResponseReturnValue:
    """All work that has ended, a page at a time."""
    source, before = source_or_404(source_id), row_id("before")
    history = sync_log.history(db.session(), source, before, sync_log.PAGE)
    return render_template(
        "syncs/index.html", history=history, behind=before is not None, **frame(source, "settings")
    )


@bp.get("/<int:sync_id>")
@viewer_may
def show(source_id: str, sync_id: int) -> ResponseReturnValue:
    """How far it is; HTMX asks for the part alone, every second."""
    source = source_or_404(source_id)
    sync = _sync_or_404(source, sync_id)
    if is_part():
        return render_template("syncs/_progress.html", source=source, sync=sync)
    return render_template("syncs/show.html", sync=sync, **frame(source, "settings"))


@bp.post("/<int:sync_id>/cancellation")
def cancel(source_id: str, sync_id: int) -> ResponseReturnValue:
    """Take it back, while that can be done."""
    source = source_or_404(source_id)
    try:
        long_work.cancel(db.session(), _sync_or_404(source, sync_id), current_user.id)
    except Refused as refused:
        flash(str(refused), "error")
    return go_to(url_for("sources.settings", source_id=source.public_id, _anchor="sync"))


def _sync_or_404(source: Source, sync_id: int) -> Sync:
    sync = sync_log.find(db.session(), source, sync_id)
    if sync is None:
        abort(404)
    return sync


def _words() -> dict[str, Any]:
    return {"sync_log": sync_log, "policies": POLICIES, "why_not_to_cancel": syncs.why_not_to_cancel}


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
    app.context_processor(_words)
