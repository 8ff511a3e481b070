"""What another policy would change, before anything is saved: in numbers, with a list behind each."""

from __future__ import annotations

from flask import Blueprint, Flask, render_template, request
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.models import Source
from webapp.models.source import POLICIES
from webapp.services import previews, waiting
from webapp.views.arguments import row_id
from webapp.views.source_page import frame, is_part, source_or_404

bp = Blueprint("previews", __name__, url_prefix="/sources/<source_id>/preview")

TITLES = {
    previews.APPEAR: "Customers that would appear",
    previews.GO: "Customers that would go",
    previews.WAIT: "People who would wait for a company",
}


@bp.get("")
def show(source_id: str) -> ResponseReturnValue:
    """The numbers; HTMX asks for them as soon as another choice is made on the settings page."""
    source = source_or_404(source_id)
    policy = _policy(source)
    found = previews.preview(db.session(), source, policy)
    template = "previews/_preview.html" if is_part() else "previews/show.html"
    return render_template(template, policy=policy, preview=found, **frame(source, "settings"))


@bp.get("/<any(appear, go, wait):which>")
def people(source_id: str, which: str) -> ResponseReturnValue:
    """Who is behind a number, a page at a time."""
    source = source_or_404(source_id)
    before = row_id("before")
    page = previews.going if which == previews.GO else waiting.page
    condition = () if which == previews.GO else (previews.persons(source, which),)
    rows, older = page(db.session(), source, before, *condition)
    return render_template(
        f"previews/{'going' if which == previews.GO else 'people'}.html",
        which=which,
        title_of_list=TITLES[which],
        rows=rows,
        older=older,
        behind=before is not None,
        **frame(source, "settings"),
    )


def _policy(source: Source) -> str:
    """The policy that an address asks about: without one, the other than is applied."""
    asked = request.args.get("policy")
    if asked in POLICIES:
        return asked
    return next(policy for policy in POLICIES if policy != source.applied_policy)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
