"""What every table shares: the declarative base, column types that both databases have, the clock."""

from __future__ import annotations

import os
import time
import uuid
from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, MetaData, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, mapped_column

from webapp.domain.text import folded as folded

# SQLite gives ids by itself only to a column that is exactly INTEGER; PostgreSQL wants 64 bits.
BigId = BigInteger().with_variant(Integer, "sqlite")
# A column without a value is NULL on both, never the JSON text `null`.
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

Id = Annotated[int, mapped_column(BigId, primary_key=True)]
Micros = Annotated[int, mapped_column(BigInteger)]
Document = Annotated[dict[str, Any], mapped_column(Json)]
Bytes = Annotated[bytes, mapped_column(LargeBinary)]


class Base(DeclarativeBase):
    """The base of all tables. Names of constraints are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text}


# Ids are never given twice, so that a link kept somewhere never leads to another record.
NEVER_REUSED = {"sqlite_autoincrement": True}

# Of a UUID of version 7: the bits that say so, and those that are drawn.
_VERSION_7 = 7 << 76 | 0b10 << 62
_DRAWN = (1 << 76) - 1 & ~(0b11 << 62)


def where(condition: str) -> dict[str, Any]:
    """The arguments of an index over some rows only, on both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def now() -> int:
    """This instant, in microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


def new_uuid() -> str:
    """A new public id, without its prefix: a UUID of version 7, which begins with the millisecond it is of.

    What is made together so stands together in indexes. Ids in no order touched a page of each of them a row,
    the more of which went to the disk the more rows there were.

    Source: RFC 9562, section 5.7.
    """
    drawn = int.from_bytes(os.urandom(10)) & _DRAWN
    return str(uuid.UUID(int=(time.time_ns() // 1_000_000) << 80 | _VERSION_7 | drawn))
