"""The ordinary way to merge: for each customer a look for its match, an ORM, and one transaction a merge.

`python -m bench.baselines.merge_one_by_one URL CUSTOMERS MERGES` fills tables of its own with pairs as
`bench/pairs.py` tells of them, merges so many, and prints seconds. The columns it matches by are indexed, in
their comparable form.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from sqlalchemy import JSON, Engine, Text, create_engine, insert, or_, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from sqlalchemy.schema import ForeignKey

from bench import pairs


class _Base(DeclarativeBase):
    type_annotation_map = {str: Text, dict[str, Any]: JSON}


class Customer(_Base):
    """A customer of either system."""

    __tablename__ = "plain_customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    billing: Mapped[bool]
    name: Mapped[str | None]
    email: Mapped[str | None] = mapped_column(index=True)
    domain: Mapped[str | None] = mapped_column(index=True)
    country: Mapped[str | None]
    custom: Mapped[dict[str, Any]]

    contacts: Mapped[list[Contact]] = relationship(back_populates="customer")


class Contact(_Base):
    """A human."""

    __tablename__ = "plain_contacts"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id), index=True)
    email: Mapped[str]

    customer: Mapped[Customer] = relationship(back_populates="contacts")


class Merge(_Base):
    """What a customer was before it became part of another, so that it can be undone."""

    __tablename__ = "plain_merges"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey(Customer.id))
    before: Mapped[dict[str, Any]]


def fill(engine: Engine, customers: int) -> None:
    """Make the tables and fill them."""
    _Base.metadata.create_all(engine)
    half = customers // 2
    with engine.begin() as connection:
        for billing, tell in ((False, pairs.told_by_segment), (True, pairs.told_by_billing)):
            rows = [_row(n, billing, tell(n)) for n in range(1, half + 1)]
            connection.execute(insert(Customer), rows)
        people = [{"customer_id": n, "email": f"person{n}@mail.example"} for n in range(1, half + 1)]
        connection.execute(insert(Contact), people)


def _row(n: int, billing: bool, told: dict[str, Any]) -> dict[str, Any]:
    email, website = told.get("email"), told.get("website_url")
    return {
        "billing": billing,
        "name": told["name"],
        "email": email and email.lower(),
        "domain": website and website.partition("//")[2].removeprefix("www.").partition("/")[0],
        "country": told.get("country"),
        "custom": told["custom"],
    }


def merge(engine: Engine, wanted: int) -> float:
    """Go through the customers of Segment until so many are merged; seconds."""
    started, merged, last = time.perf_counter(), 0, 0
    while merged < wanted:
        with Session(engine) as session:
            after = select(Customer).where(~Customer.billing, Customer.id > last).order_by(Customer.id)
            customer = session.scalars(after.limit(1)).one()
            last = customer.id
            same = or_(Customer.email == customer.email, Customer.domain == customer.domain)
            found = session.scalars(select(Customer).where(Customer.billing, same)).all()
            if len(found) == 1:
                _join(session, found[0], customer)
                merged += 1
            session.commit()
    return time.perf_counter() - started


def _join(session: Session, into: Customer, other: Customer) -> None:
    names = ("name", "email", "domain", "country", "custom")
    session.add(Merge(customer_id=into.id, before={name: getattr(other, name) for name in names}))
    for name in names[:-1]:
        setattr(into, name, getattr(into, name) or getattr(other, name))
    into.custom = other.custom | into.custom
    for contact in list(other.contacts):
        contact.customer = into
    session.flush()
    session.delete(other)


if __name__ == "__main__":
    engine = create_engine(sys.argv[1])
    fill(engine, int(sys.argv[2]))
    print(merge(engine, int(sys.argv[3])))
