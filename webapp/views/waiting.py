"""The people of a source who wait for a company."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import viewer_may
from webapp.services import waiting
from webapp.views.arguments import row_id
from webapp.views.source_page import frame, source_or_404

bp = Blueprint("waiting", __name__)


@bp.get("/sources/<source_id>/waiting")
@viewer_may
def of_source(source_id: str) -> ResponseReturnValue:
    """Show who waits, and what is known of them."""
    source = source_or_404(source_id)
    before = row_id("before")
    people, older = waiting.page(db.session(), source, before)
    return render_template(
        "waiting/index.html",
        people=people,
        older=older,
        number=waiting.number(db.session(), source),
        behind=before is not None,
        **frame(source, "waiting"),
    )


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
