"""Delete This Source: what goes and what stays, and the end of it."""

from __future__ import annotations

from flask import Blueprint, Flask, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.models import Source
from webapp.security import confirm_required, current_user, go_to
from webapp.services import deletion, long_work, sources
from webapp.views.source_page import frame, is_part, source_or_404, start

bp = Blueprint("deletions", __name__, url_prefix="/sources/<source_id>/deletion")


@bp.get("/new")
@confirm_required()
def new(source_id: str) -> ResponseReturnValue:
    """Say with real numbers what goes, and ask for the source's name."""
    return _ask(source_or_404(source_id))


@bp.post("")
@confirm_required()
def create(source_id: str) -> ResponseReturnValue:
    """Close the source at once and have it erased."""
    source = source_or_404(source_id)
    if sources.name_key(request.form.get("name", "")) != source.name_key:
        return _ask(source, f"Type the name of this source, {source.name}, to delete it."), 422
    name = source.name
    sync = long_work.delete(db.session(), source, current_user.id)
    start(sync)
    closed = (
        "Its webhook is closed already." if source.kind == "segment" else "Nothing of it is shown any more."
    )
    flash(f"“{name}” is being deleted. {closed}")
    return go_to(url_for("sources.index"))


def _ask(source: Source, error: str | None = None) -> str:
    report = deletion.deletion_report(db.session().connection(), source)
    template = "deletions/_question.html" if is_part() else "deletions/new.html"
    return render_template(
        template, report=report, error=error, typed=request.form.get("name", ""), **frame(source, "settings")
    )


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
