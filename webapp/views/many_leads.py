"""What the tables of customers and leads offer to do to the rows that are ticked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flask import Flask
from sqlalchemy.orm import Session

from webapp.extensions import db
from webapp.models.customer import LEAD_STATUSES
from webapp.services import accounts, many_leads
from webapp.services.tables import CUSTOMERS
from webapp.views import bulk
from webapp.views.bulk import Refused
from webapp.views.filters import counted

Run = Callable[[Session, Sequence[int], Mapping[str, str], int], str]


def set_status(session: Session, ids: Sequence[int], form: Mapping[str, str], user_id: int) -> str:
    """Give the leads among them another status."""
    status = form.get("bulk_status", "")
    changed, passed_over = many_leads.set_status(session, ids, status, user_id)
    said = f"{counted(changed, 'lead')} set to {status}."
    if not passed_over:
        return said
    return f"{said} {counted(passed_over, 'customer')} passed over: subscriptions say what their status is."


def give_owner(session: Session, ids: Sequence[int], form: Mapping[str, str], user_id: int) -> str:
    """Say who looks after them."""
    email = form.get("bulk_owner", "")
    number = counted(many_leads.give_owner(session, ids, email, user_id), "customer")
    return f"{email} looks after {number}." if email else f"Nobody looks after {number} any more."


def tag(session: Session, ids: Sequence[int], form: Mapping[str, str], user_id: int) -> str:
    """Give them a tag more, or take one away."""
    text = form.get("bulk_tag", "")
    if form.get("bulk_verb") == "remove":
        return f"Tag taken from {counted(many_leads.remove_tag(session, ids, text, user_id), 'customer')}."
    return f"{counted(many_leads.add_tag(session, ids, text, user_id), 'customer')} tagged."


def _explained(run: Run) -> Run:
    """What a service refuses is said beside the table."""

    def said(session: Session, ids: Sequence[int], form: Mapping[str, str], user_id: int) -> str:
        try:
            return run(session, ids, form, user_id)
        except ValueError as problem:
            raise Refused(str(problem)) from problem

    return said


def register(app: Flask) -> None:
    """Offer it, and give the parts their choices."""
    for key, label, run in (
        ("status", "Lead status", set_status),
        ("owner", "Owner", give_owner),
        ("tag", "Tag", tag),
    ):
        action = bulk.Action(key, label, f"leads/_bulk_{key}.html", _explained(run))
        bulk.offer(app, CUSTOMERS, action)
    app.jinja_env.globals["lead_statuses"] = LEAD_STATUSES
    app.jinja_env.globals["owners"] = lambda: [
        (user.email, user.name or user.email) for user in accounts.users(db.session())
    ]
