"""What people would build: a transaction for each event, in which an ORM gets or creates what it tells of.

`python -m bench.baselines.one_by_one URL FILE` works on the events of a file, one a line, and prints seconds.
Nothing of Tributary is imported, so SQLite is as its driver leaves it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine, LargeBinary, Text, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.schema import ForeignKey


class _Base(DeclarativeBase):
    type_annotation_map = {str: Text, dict[str, Any]: JSON}


class Call(_Base):
    """One event that was received."""

    __tablename__ = "plain_calls"

    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    done: Mapped[bool] = mapped_column(default=False, index=True)


class Customer(_Base):
    """A company, or somebody without one."""

    __tablename__ = "plain_customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    email: Mapped[str | None]
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Contact(_Base):
    """A human."""

    __tablename__ = "plain_contacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(unique=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey(Customer.id))
    email: Mapped[str | None] = mapped_column(index=True)
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    custom: Mapped[dict[str, Any]] = mapped_column(default=dict)

    customer: Mapped[Customer | None] = relationship()


def prepare(engine: Engine, bodies: list[bytes]) -> None:
    """Make the tables and fill the inbox."""
    _Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all(Call(body=body) for body in bodies)


def work(engine: Engine) -> float:
    """Take one event after the other until none is left; seconds."""
    started = time.perf_counter()
    while True:
        with Session(engine) as session:
            call = session.scalars(select(Call).where(~Call.done).order_by(Call.id).limit(1)).first()
            if call is None:
                return time.perf_counter() - started
            _apply(session, json.loads(call.body))
            call.done = True
            session.commit()


def _apply(session: Session, event: dict[str, Any]) -> None:
    if event["type"] == "Send Customer":
        customer = _customer(session, event["group_id"])
        customer.name, customer.email = event.get("name"), event.get("email")
        customer.custom = customer.custom | {"plan": event.get("plan"), "employees": event.get("employees")}
        return
    contact = session.scalars(select(Contact).where(Contact.user_id == event["user_id"])).first()
    if contact is None:
        contact = Contact(user_id=event["user_id"], custom={})
        session.add(contact)
    for name in ("email", "first_name", "last_name"):
        setattr(contact, name, event.get(name))
    company = event.get("company") or {"id": event["user_id"], "name": event.get("email")}
    contact.customer = _customer(session, company["id"])
    contact.customer.name = company.get("name")
    told = {key: event.get(key) for key in ("title", "phone", "plan", "login_count", "score", "newsletter")}
    contact.custom = contact.custom | told


def _customer(session: Session, external_id: str) -> Customer:
    customer = session.scalars(select(Customer).where(Customer.external_id == external_id)).first()
    if customer is None:
        customer = Customer(external_id=external_id, custom={})
        session.add(customer)
    return customer


if __name__ == "__main__":
    engine = create_engine(sys.argv[1])
    prepare(engine, Path(sys.argv[2]).read_bytes().splitlines())
    print(work(engine))
