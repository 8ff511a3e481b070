"""Settings & Data > API keys: make one, see who made which, revoke. For administrators."""

from __future__ import annotations

from flask import Blueprint, Flask, abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.forms.api_keys import SCOPE_CHOICES, ApiKeyForm
from webapp.security import confirm_required, current_user, public_base
from webapp.services import api_keys
from webapp.services.sources import Refused

bp = Blueprint("api_keys", __name__, url_prefix="/api-keys")


@bp.get("")
def index() -> ResponseReturnValue:
    """All keys, and how the API is called."""
    return render_template("api_keys/index.html", keys=api_keys.every(db.session()), base=public_base())


@bp.get("/new")
@confirm_required()
def new() -> ResponseReturnValue:
    """Ask for a name, and what the key may do."""
    return render_template("api_keys/new.html", form=ApiKeyForm(formdata=None), scopes=SCOPE_CHOICES)


@bp.post("")
@confirm_required()
def create() -> ResponseReturnValue:
    """Make the key, and show it this once."""
    form = ApiKeyForm()
    name, scope = form.name.data or "", form.scope.data or ""
    try:
        token = api_keys.make(db.session(), name, scope, current_user.id)
    except Refused as refused:
        form.refuse(refused)
        return render_template("api_keys/new.html", form=form, scopes=SCOPE_CHOICES), 422
    may = api_keys.SCOPES[scope]
    return render_template("api_keys/made.html", made=name.strip(), may=may, key=token, base=public_base())


@bp.get("/<int:key_id>/revocation")
def ask_revocation(key_id: int) -> ResponseReturnValue:
    """Ask before a key is revoked."""
    key = api_keys.find(db.session(), key_id) or abort(404)
    return render_template("api_keys/revoke.html", key=key)


@bp.post("/<int:key_id>/revocation")
def revoke(key_id: int) -> ResponseReturnValue:
    """Let a key open nothing any more."""
    name = api_keys.revoke(db.session(), key_id, current_user.id)
    flash(f"The key “{name}” works no more." if name else "This key had been revoked already.")
    return redirect(url_for(".index"), 303)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
