"""The ordinary way to read a file of customers: for each row a look, an ORM, and one transaction.

`python -m bench.baselines.row_by_row URL FILE ROWS` makes a table of its own, reads so many rows, and prints
seconds. It takes headings for what they say, and checks two things of a row: an external id, and an `@`.
"""

from __future__ import annotations

import csv
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine, Text, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class _Base(DeclarativeBase):
    type_annotation_map = {str: Text, dict[str, Any]: JSON}


class Customer(_Base):
    """A customer of a file."""

    __tablename__ = "plain_customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(index=True)
    website: Mapped[str]
    country: Mapped[str]
    city: Mapped[str]
    custom: Mapped[dict[str, Any]]


def read(engine: Engine, path: Path, rows: int) -> float:
    """Read the first rows of a file; seconds."""
    _Base.metadata.create_all(engine)
    started = time.perf_counter()
    with path.open(newline="") as file:
        for row in islice(csv.DictReader(file), rows):
            if row["Customer ID"] and "@" in row["E-mail"]:
                with Session(engine) as session:
                    _take(session, row)
                    session.commit()
    return time.perf_counter() - started


def _take(session: Session, row: dict[str, str]) -> None:
    wanted = select(Customer).where(Customer.external_id == row["Customer ID"])
    customer = session.scalars(wanted).one_or_none()
    if customer is None:
        customer = Customer(external_id=row["Customer ID"])
        session.add(customer)
    customer.name, customer.email = row["Name"], row["E-mail"].lower()
    customer.website, customer.country, customer.city = row["Website"], row["Country"], row["City"]
    customer.custom = {"seats": int(row["Seats"]), "tier": row["Tier"]}


if __name__ == "__main__":
    print(read(create_engine(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
