"""Contacts: the table of all, the table of a source, and one of them."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import current_user, viewer_may
from webapp.services import merge_history, notes, provenance, records
from webapp.services.merges import CannotMerge
from webapp.services.tables import CONTACTS
from webapp.views import table_routes
from webapp.views.arguments import row_id

bp = Blueprint("contacts", __name__)
table_routes.add(bp, CONTACTS)


@bp.get("/contacts/<contact_id>")
@viewer_may
def show(contact_id: str) -> ResponseReturnValue:
    """Show one contact: what is known, who said so, which identifiers are theirs, their events."""
    before = row_id("before")
    connection = db.session().connection()
    found = provenance.contact(db.session(), contact_id, before)
    if found is None:
        elsewhere = records.moved(connection, contact_id)
        return redirect(url_for(".show", contact_id=elsewhere), 303) if elsewhere else abort(404)
    here = url_for(".show", contact_id=contact_id)
    older = url_for(".show", contact_id=contact_id, before=found["older"]) if found["older"] else None
    return render_template(
        "contacts/show.html",
        here=here,
        older_href=older,
        behind=before is not None,
        notes=notes.of(connection, found["record"], current_user.id),
        **found,
    )


@bp.post("/contacts/<contact_id>/separations")
def separate(contact_id: str) -> ResponseReturnValue:
    """Let what one source tells of somebody be a contact of its own."""
    said, kind = "Separated: it is a contact of its own now, and stays one.", "message"
    try:
        merge_history.separate_contact(
            db.session(), contact_id, request.form.get("contact", ""), current_user.id
        )
    except (CannotMerge, records.Gone) as problem:
        said, kind = str(problem), "error"
    flash(said, kind)
    return redirect(url_for(".show", contact_id=contact_id), 303)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
