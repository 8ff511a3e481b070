"""What every table shares: the declarative base, column types that both databases have, the clock."""

from __future__ import annotations

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


def where(condition: str) -> dict[str, Any]:
    """The arguments of an index over some rows only, on both databases."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def now() -> int:
    """This instant, in microseconds since the epoch, UTC."""
    return time.time_ns() // 1000


def new_uuid() -> str:
    """A new public id, without its prefix."""
    return str(uuid.uuid4())
