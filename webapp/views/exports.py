"""Export first: a source's customers and contacts as CSV in a zip."""

from __future__ import annotations

import re

from flask import Blueprint, Flask, Response
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import current_user
from webapp.services import export, sources
from webapp.views.source_page import source_or_404

bp = Blueprint("exports", __name__)


@bp.get("/sources/<source_id>/export.zip")
def zip_of_source(source_id: str) -> ResponseReturnValue:
    """Send the zip while it is made."""
    source = source_or_404(source_id)
    session = db.session()
    sources.exported(session, source, current_user.id)
    session.refresh(source)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", source.name).strip("-").lower() or "source"
    headers = {"Content-Disposition": f'attachment; filename="{plain}.zip"'}
    return Response(export.stream_zip(db.engine, source), mimetype="application/zip", headers=headers)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
