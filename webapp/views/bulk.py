"""Changing many rows of a table at once: which actions there are, and what becomes of those that were chosen.

An action is a label, a small part of a form, and a service to call. Whoever has one offers it when the
application is made, and every table of that noun shows it beside its rows, to administrators:

    bulk.offer(app, CUSTOMERS, bulk.Action("owner", "Owner", "leads/_bulk_owner.html", leads.give))

The part's fields are posted with the rows. Nothing of this needs a script.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from flask import Flask, abort, current_app, flash, redirect, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from webapp.extensions import db
from webapp.models import Source
from webapp.security import current_user, local_path
from webapp.services import tables
from webapp.services.tables import Scope, Table

_EXTENSION = "bulk_actions"
_LONGEST_QUERY = 20_000


class Refused(Exception):
    """Nothing was changed; the text says why, and what would do."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done to many rows.

    Attributes:
        key: its name in the form.
        label: what its menu is called.
        template: the part with its fields, in a menu's panel; its controls bear `form="{{ form }}"`.
        run: called with the session, the ids of the rows (`Customer.id` or `Contact.id`), the posted form and
            the id of the user; commits; returns what was done, in a sentence, or raises `Refused`.
    """

    key: str
    label: str
    template: str
    run: Callable[[Session, Sequence[int], Mapping[str, str], int], str]


def offer(app: Flask, table: Table, action: Action) -> None:
    """Have the tables of customers or of contacts show an action."""
    app.extensions.setdefault(_EXTENSION, {}).setdefault(table.one, {})[action.key] = action


def actions(table: Table) -> list[Action]:
    """What whoever is signed in can do to rows of a table."""
    if not current_user.is_administrator:
        return []
    offered: dict[str, Action] = current_app.extensions.get(_EXTENSION, {}).get(table.one, {})
    return list(offered.values())


def change(table: Table, source: Source | None = None) -> ResponseReturnValue:
    """Do one action to the rows that were chosen, and show the table again."""
    action = next((each for each in actions(table) if each.key == request.form.get("action")), None)
    if action is None:
        abort(404)
    try:
        ids = _chosen(_scope(table, source))
        flash(action.run(db.session(), ids, request.form, current_user.id))
    except tables.TooMany:
        flash(
            f"At most {tables.MOST:,} {table.noun} can be changed at once, and there are more. Nothing was "
            "changed. Narrow them down with a filter, and do it in several goes.",
            "error",
        )
    except Refused as problem:
        flash(str(problem), "error")
    return redirect(local_path(request.form.get("back")), 303)


def _scope(table: Table, source: Source | None) -> Scope:
    """The view that the rows were chosen in."""
    connection, source_id = db.session().connection(), source.id if source else None
    asked = parse_qs(request.form.get("query", "")[:_LONGEST_QUERY], keep_blank_values=True)
    view = tables.read_view(table, tables.columns_of(connection, table, source_id), asked)
    if view.problems and request.form.get("all"):
        raise Refused("The view has changed meanwhile, so nothing was changed. Look at it, and try again.")
    return tables.scope_of(connection, view, source_id)


def _chosen(scope: Scope) -> list[int]:
    form: Any = request.form
    if form.get("all"):
        ids = tables.all_of(scope)
    else:
        shown = form.get("shown", "").split() if form.get("page") else []
        ids = tables.chosen(scope, [*form.getlist("id"), *shown])
    if not ids:
        raise Refused(f"No {scope.view.table.noun} were chosen, so nothing was changed. Tick some first.")
    return ids
