"""Views of the tables under a name: save one, delete one. The tables themselves list them."""

from __future__ import annotations

from urllib.parse import parse_qs

from flask import Blueprint, Flask, abort, flash, redirect, request
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import current_user, local_path, viewer_may_change
from webapp.services import saved_views, tables

bp = Blueprint("saved_views", __name__, url_prefix="/saved-views")

_TABLES = {table.noun: table for table in (tables.CUSTOMERS, tables.CONTACTS, tables.LEADS)}


@bp.post("")
@viewer_may_change
def create() -> ResponseReturnValue:
    """Keep the view that a table shows under a name."""
    table = _TABLES.get(request.form.get("noun", ""))
    if table is None:
        abort(404)
    asked = parse_qs(request.form.get("query", "")[:10_000], keep_blank_values=True)
    columns = tables.columns_of(db.session().connection(), table)
    args = tables.read_view(table, columns, asked).args  # only what a view can ask for is kept
    name, shared = request.form.get("name", ""), bool(request.form.get("shared"))
    try:
        view = saved_views.keep(db.session(), current_user.id, table.noun, name, args, shared)
    except saved_views.CannotSave as problem:
        flash(str(problem), "error")
    else:
        flash(f"The view “{view.name}” is saved. It stands under Views.")
    return redirect(local_path(request.form.get("back")), 303)


@bp.post("/<int:view_id>/deletion")
@viewer_may_change
def delete(view_id: int) -> ResponseReturnValue:
    """Delete a view; the table stays as it is shown."""
    gone = saved_views.forget(db.session(), view_id, current_user.id, current_user.is_administrator)
    if gone is None:
        abort(404)
    flash("The view is deleted. What the table shows stays as it is.")
    return redirect(local_path(request.form.get("back")), 303)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
