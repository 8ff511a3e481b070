"""What people write on a customer or a contact: attributes over what sources tell, and notes."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Flask, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from webapp.extensions import db
from webapp.security import current_user
from webapp.services import by_hand, notes, provenance, records, values

bp = Blueprint("hand", __name__, url_prefix="/<any(customers, contacts):noun>/<record_id>")


@bp.get("/values/<key>")
def value(noun: str, record_id: str, key: str) -> ResponseReturnValue:
    """Show what an attribute is, what each source tells, and a form to set it."""
    return _value_page(noun, record_id, key)


@bp.post("/values/<key>")
def set_value(noun: str, record_id: str, key: str) -> ResponseReturnValue:
    """Set an attribute by hand, or clear it."""
    attribute = values.known(db.session(), noun[:-1], key) or abort(404)
    typed = request.form.get("value", "")
    try:
        meant = None if request.form.get("clear") else values.read(attribute, typed)
        by_hand.set_value(db.session(), _id(noun, record_id), key, meant, current_user.id)
    except records.Gone:
        abort(404)
    except values.Unreadable as problem:
        return _value_page(noun, record_id, key, typed, str(problem)), 422
    return _back(noun, record_id, f"{attribute.label} is {'cleared' if meant is None else 'set'} by hand.")


@bp.post("/values/<key>/removal")
def take_back(noun: str, record_id: str, key: str) -> ResponseReturnValue:
    """Show again what sources tell."""
    try:
        by_hand.take_back(db.session(), _id(noun, record_id), key, current_user.id)
    except records.Gone:
        abort(404)
    return _back(noun, record_id, "Taken back: what sources tell is shown again.")


@bp.post("/notes")
def add_note(noun: str, record_id: str) -> ResponseReturnValue:
    """Write a note."""
    text = request.form.get("text", "")
    try:
        notes.add(db.session(), _id(noun, record_id), text, current_user.id)
    except records.Gone:
        abort(404)
    except notes.BadNote as problem:
        return _note_page(noun, record_id, None, text, str(problem)), 422
    return _back(noun, record_id, "The note is added.", "notes")


@bp.get("/notes/<note_id>")
def note(noun: str, record_id: str, note_id: str) -> ResponseReturnValue:
    """Show one's own note in a form."""
    return _note_page(noun, record_id, note_id, _own(note_id).text)


@bp.post("/notes/<note_id>")
def rewrite(noun: str, record_id: str, note_id: str) -> ResponseReturnValue:
    """Change one's own note."""
    _own(note_id)
    text = request.form.get("text", "")
    try:
        notes.rewrite(db.session(), note_id, text, current_user.id)
    except notes.BadNote as problem:
        return _note_page(noun, record_id, note_id, text, str(problem)), 422
    return _back(noun, record_id, "The note is saved.", "notes")


@bp.post("/notes/<note_id>/deletion")
def remove(noun: str, record_id: str, note_id: str) -> ResponseReturnValue:
    """Delete one's own note."""
    _own(note_id)
    notes.remove(db.session(), note_id, current_user.id)
    return _back(noun, record_id, "The note is deleted.", "notes")


def _value_page(noun: str, record_id: str, key: str, typed: str | None = None, problem: str = "") -> str:
    attribute = values.known(db.session(), noun[:-1], key) or abort(404)
    found = _found(noun, record_id)
    fact = values.fact_of(found, attribute)
    return render_template(
        "records/value.html",
        noun=noun,
        record=found[noun[:-1]],
        attribute=attribute,
        fact=fact,
        told=values.told(found, attribute),
        typed=fact.value if typed is None else typed,
        problem=problem,
        back=_href(noun, record_id),
    )


def _note_page(noun: str, record_id: str, note_id: str | None, text: str, problem: str = "") -> str:
    return render_template(
        "records/note.html",
        noun=noun,
        record=_found(noun, record_id)[noun[:-1]],
        note_id=note_id,
        text=text,
        problem=problem,
        longest=notes.LONGEST,
        back=_href(noun, record_id),
    )


def _found(noun: str, record_id: str) -> dict[str, Any]:
    find = provenance.customer if noun == "customers" else provenance.contact
    return find(db.session(), record_id) or abort(404)


def _own(note_id: str) -> Any:
    return notes.own(db.session().connection(), note_id.replace("\0", ""), current_user.id) or abort(404)


def _id(noun: str, record_id: str) -> str:
    """The id of an address, which must be one of its noun."""
    return record_id if record_id.startswith(records.PREFIXES[noun[:-1]]) else abort(404)


def _href(noun: str, record_id: str, anchor: str | None = None) -> str:
    args: dict[str, Any] = {f"{noun[:-1]}_id": record_id}
    return url_for(f"{noun}.show", _anchor=anchor, **args)


def _back(noun: str, record_id: str, said: str, anchor: str | None = None) -> ResponseReturnValue:
    flash(said)
    return redirect(_href(noun, record_id, anchor), 303)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
