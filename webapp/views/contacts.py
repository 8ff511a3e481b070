"""Contacts: the table of all, the table of a source, and one of them."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import viewer_may
from webapp.services import provenance
from webapp.services.tables import CONTACTS
from webapp.views import table_page
from webapp.views.arguments import row_id
from webapp.views.source_page import source_or_404

bp = Blueprint("contacts", __name__)


@bp.get("/contacts")
@viewer_may
def index() -> ResponseReturnValue:
    """Show every contact of the account."""
    return table_page.show(CONTACTS)


@bp.get("/contacts/news")
@viewer_may
def news() -> ResponseReturnValue:
    """Tell what came since the table was shown."""
    return table_page.news(CONTACTS)


@bp.get("/contacts.csv")
@viewer_may
def csv() -> ResponseReturnValue:
    """Send the view as a file."""
    return table_page.csv(CONTACTS)


@bp.get("/contacts.xlsx")
@viewer_may
def xlsx() -> ResponseReturnValue:
    """Send the view as a workbook."""
    return table_page.xlsx(CONTACTS)


@bp.get("/sources/<source_id>/contacts")
@viewer_may
def of_source(source_id: str) -> ResponseReturnValue:
    """Show the contacts that a source told of."""
    return table_page.show(CONTACTS, source_or_404(source_id))


@bp.get("/sources/<source_id>/contacts/news")
@viewer_may
def news_of_source(source_id: str) -> ResponseReturnValue:
    """Tell what came of a source since the table was shown."""
    return table_page.news(CONTACTS, source_or_404(source_id))


@bp.get("/sources/<source_id>/contacts.csv")
@viewer_may
def csv_of_source(source_id: str) -> ResponseReturnValue:
    """Send the view of a source's contacts as a file."""
    return table_page.csv(CONTACTS, source_or_404(source_id))


@bp.get("/sources/<source_id>/contacts.xlsx")
@viewer_may
def xlsx_of_source(source_id: str) -> ResponseReturnValue:
    """Send the view of a source's contacts as a workbook."""
    return table_page.xlsx(CONTACTS, source_or_404(source_id))


@bp.get("/contacts/<contact_id>")
@viewer_may
def show(contact_id: str) -> ResponseReturnValue:
    """Show one contact: what is known, who said so, which identifiers are theirs, their events."""
    before = row_id("before")
    found = provenance.contact(db.session(), contact_id, before)
    if found is None:
        abort(404)
    here = url_for(".show", contact_id=contact_id)
    older = url_for(".show", contact_id=contact_id, before=found["older"]) if found["older"] else None
    return render_template(
        "contacts/show.html", here=here, older_href=older, behind=before is not None, **found
    )


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
