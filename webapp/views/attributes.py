"""Custom attributes: what the sources told, of which type, how many records have it; hide and ignore."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.models.attribute import ENTITIES
from webapp.security import current_user, go_to, viewer_may
from webapp.services import attribute_changes, attribute_indexes, attributes
from webapp.views.arguments import row_id
from webapp.views.source_page import is_part

bp = Blueprint("attributes", __name__, url_prefix="/attributes")


@bp.get("")
@viewer_may
def index() -> ResponseReturnValue:
    """Show the registry; how many records have each key comes after, since counting takes its time."""
    entity = request.args.get("of", "customer")
    if entity not in ENTITIES:
        entity = "customer"
    counted = is_part() or bool(request.args.get("counts"))
    context = {
        "entity": entity,
        "registry": attributes.registry(db.session(), entity),
        "indexes": attribute_indexes.states(db.session().connection(), entity),
        "usage": attributes.usage(db.session().connection(), entity) if counted else None,
    }
    if is_part():
        return render_template("attributes/_table.html", **context)
    return render_template("attributes/index.html", over_limit=attributes.over_limit(db.session()), **context)


@bp.post("/<any(customer, contact):entity>/<key>/hiding")
def hide(entity: str, key: str) -> ResponseReturnValue:
    """Take a key off the offered columns, or put it back."""
    _known_or_404(entity, key)
    hidden = request.form.get("on") == "1"
    attributes.hide(db.session(), entity, key, hidden, current_user.id)
    flash(f"“{key}” is no column any more." if hidden else f"“{key}” is a column again.")
    return go_to(url_for(".index", of=entity))


@bp.get("/<any(customer, contact):entity>/<key>/ignoring")
def ask(entity: str, key: str) -> ResponseReturnValue:
    """Say how many records would lose the value, or gain it, before anything is saved."""
    _known_or_404(entity, key)
    ignoring = request.args.get("on") != "0"
    return render_template(
        "attributes/ignoring.html",
        entity=entity,
        key=key,
        ignoring=ignoring,
        concerned=attribute_changes.concerned(db.session(), entity, key, ignoring),
        sources=attribute_changes.tellers(db.session(), entity, key),
    )


@bp.get("/<any(customer, contact):entity>/<key>/ignoring/records")
def affected(entity: str, key: str) -> ResponseReturnValue:
    """Who would lose the value, or gain it, a page at a time."""
    _known_or_404(entity, key)
    ignoring, before = request.args.get("on") != "0", row_id("before")
    rows, older = attribute_changes.affected(db.session(), entity, key, ignoring, before)
    return render_template(
        "attributes/affected.html",
        entity=entity,
        key=key,
        ignoring=ignoring,
        rows=rows,
        older=older,
        behind=before is not None,
        looked_at=attribute_changes.LOOKED_AT,
    )


@bp.post("/<any(customer, contact):entity>/<key>/ignoring")
def ignore(entity: str, key: str) -> ResponseReturnValue:
    """Import a key no more, or again."""
    _known_or_404(entity, key)
    ignored = request.form.get("on") == "1"
    attributes.ignore(db.session(), entity, key, ignored, current_user.id)
    said = "is ignored from now on" if ignored else "is imported again from now on"
    flash(f"“{key}” {said}. Re-sync a source to apply this to the records that it has already.")
    return go_to(url_for(".index", of=entity))


def _known_or_404(entity: str, key: str) -> None:
    if not attributes.is_known(db.session(), entity, key):
        abort(404)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
