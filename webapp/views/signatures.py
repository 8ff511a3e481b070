"""Whether calls to a source's webhook URL have to be signed, and the secret they are signed with."""

from __future__ import annotations

from flask import Blueprint, Flask, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.models import Source
from webapp.security import current_user
from webapp.services import signing, sources
from webapp.views.source_page import settings, source_or_404

bp = Blueprint("signatures", __name__, url_prefix="/sources/<source_id>/signature")


@bp.post("")
def create(source_id: str) -> ResponseReturnValue:
    """Take only signed calls from now on."""
    source = source_or_404(source_id)
    secret = request.form.get("secret", "")
    try:
        signing.ask(db.session(), settings(), source, secret, current_user.id)
        flash("From now on only calls with a signature are taken.")
    except sources.Refused as refused:
        flash(str(refused), "error")
    return _back(source)


@bp.post("/removal")
def remove(source_id: str) -> ResponseReturnValue:
    """Take calls without a signature again."""
    source = source_or_404(source_id)
    signing.stop(db.session(), source, current_user.id)
    flash("Calls need no signature any more.")
    return _back(source)


def _back(source: Source) -> ResponseReturnValue:
    return redirect(url_for("sources.settings", source_id=source.public_id, _anchor="signature"), 303)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
