"""Mending customers: everything that follows from what sources tell and people decided, worked out again.

Nothing here is needed while all goes well. It puts right what somebody changed in the database by hand, or
what a mistake of ours once wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, exists, or_, select

from webapp.database import begin
from webapp.models import Company, Contact, Customer, DataSourceCustomer, Decision
from webapp.services.locks import lock_sources
from webapp.services.merging import settle
from webapp.services.projection import never
from webapp.services.rows import delete_in

PAGE = {"sqlite": 200, "postgresql": 1000}


def mend(engine: Engine, *, stop: Callable[[], bool] = never) -> tuple[int, int]:
    """Work all customers out again, page by page.

    Args:
        stop: asked between pages.

    Returns:
        How many customers were looked at, and how many decisions were forgotten (`speaks_of_nothing`).
    """
    looked_at = after = 0
    while not stop():
        with begin(engine) as connection:
            lock_sources(connection)
            ids = _page(connection, engine.dialect.name, after)
            settle(connection, lost=ids)
        if not ids:
            break
        looked_at, after = looked_at + len(ids), ids[-1]
    with begin(engine) as connection:
        lock_sources(connection)
        gone = connection.scalars(select(Decision.id).where(speaks_of_nothing())).all()
        delete_in(connection, Decision, Decision.id, gone)
    return looked_at, len(gone)


def speaks_of_nothing() -> ColumnElement[bool]:
    """The condition that a decision is about a record that no source tells of, and that cannot come back.

    A person that is not there now may come back, by the key that the decision keeps.
    """
    return or_(*(_is_nothing(end) for end in ("primary", "other")))


def _is_nothing(end: str) -> ColumnElement[bool]:
    uuid: Any = getattr(Decision, f"{end}_now")
    known = (
        exists().where(DataSourceCustomer.origin_uuid == uuid),
        exists().where(Contact.uuid == uuid),
        exists().where(Company.source_id == getattr(Decision, f"{end}_source_id"), Company.uuid == uuid),
    )
    return getattr(Decision, f"{end}_key").is_(None) & ~or_(*known)


def _page(connection: Connection, dialect: str, after: int) -> list[int]:
    """The next customers, but those that nobody stands behind although they have contacts."""
    stands = exists().where(DataSourceCustomer.customer_id == Customer.id)
    empty = ~exists().where(Contact.customer_id == Customer.id)
    query = select(Customer.id).where(Customer.id > after, stands | empty)
    return list(connection.scalars(query.order_by(Customer.id).limit(PAGE[dialect])))
