"""Export first: what would go with a source, in a zip."""

from __future__ import annotations

import re

from flask import Blueprint, Flask, Response, request
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import current_user
from webapp.services import source_zip, sources
from webapp.views.source_page import source_or_404

bp = Blueprint("exports", __name__)


@bp.get("/sources/<source_id>/export.zip")
def zip_of_source(source_id: str) -> ResponseReturnValue:
    """Send the zip while it is made; with the events when they are asked for."""
    source = source_or_404(source_id)
    session = db.session()
    sources.exported(session, source, current_user.id)
    session.refresh(source)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", source.name).strip("-").lower() or "source"
    headers = {"Content-Disposition": f'attachment; filename="{plain}.zip"'}
    pieces = source_zip.stream(db.engine, source, request.args.get("events") == "1")
    return Response(pieces, mimetype="application/zip", headers=headers)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
