"""Export first: all that would go with a source in one zip, made while it is sent.

Beside the two files of `export.py` it holds plans, subscriptions and notes where the source has any and, when
asked for, the events. No file of it is ever in memory, nor on the disk.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Select, and_, bindparam, func, select

from webapp.domain.clock import iso
from webapp.domain.text import plain
from webapp.models import (
    Contact,
    Customer,
    DataSourceCustomer,
    Event,
    MrrAdjustment,
    Note,
    Plan,
    Source,
    Subscription,
    User,
    now,
)
from webapp.services import csv_files, export, revenue, visibility, xlsx
from webapp.services.pacing import MOST_BYTES, within
from webapp.services.records import PREFIXES
from webapp.services.tables import CONTACTS, CUSTOMERS

EVENTS_AT_ONCE = 500
"""So many events are read at once at most, and as many bytes of them as a drain reads."""
EVENTS = "events.ndjson"
_CENT = Decimal("0.01")
_STREAMED = {"stream_results": True, "yield_per": 500}
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
"""JSON has line breaks between its parts only, where a blank says the same."""


class CutShort(RuntimeError):
    """The source was deleted while it was exported: what was sent is not all."""


@dataclass(frozen=True, slots=True)
class _File:
    """One CSV file beside the two of every source.

    Attributes:
        name: `plans.csv`.
        about: what it holds, a line of the README.
        heading: its columns.
        query: its rows in their order.
        cells: makes the cells of a row.
    """

    name: str
    about: str
    heading: tuple[str, ...]
    query: Select[Any]
    cells: Callable[[Any], Sequence[str]]


def stream(engine: Engine, source: Source, events: bool = False) -> Iterator[bytes]:
    """A source's zip in pieces.

    Args:
        engine: to read with. All but the events is of one moment; events do not change.
        source: whose data.
        events: whether the events are to be in it.

    Raises:
        CutShort: the source was deleted before all its events were sent.
    """
    return _zip(engine, source.id, source.name, now(), events)


def _zip(engine: Engine, source_id: int, name: str, at: int, events: bool) -> Iterator[bytes]:
    about = {
        "customers.csv": "one line per customer; custom.<key> are its custom attributes",
        "contacts.csv": "one line per contact; customer_uuid says whose contact it is",
    }
    buffer = xlsx.Pipe()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        with export.snapshot(engine) as connection:
            for table in (CUSTOMERS, CONTACTS):
                pieces = export.source_csv(connection, table, source_id)
                yield from _sent(archive, buffer, _entry(f"{table.noun}.csv", at), pieces)
            for file in _FILES:
                if _is_any(connection, file, source_id):
                    about[file.name] = file.about
                    yield from _sent(
                        archive, buffer, _entry(file.name, at), _csv(connection, file, source_id)
                    )
            last = connection.scalar(_LAST_EVENT, {"source": source_id})
        # Apart, since it may take long: whoever reads one state holds up those who write and erase.
        if events and last is not None:
            about[EVENTS] = "each event on a line of its own, as it was received, in that order"
            yield from _sent(archive, buffer, _entry(EVENTS, at), _lines(engine, source_id, last))
        archive.writestr(_entry("README.txt", at), _readme(name, at, about, last is not None))
    yield buffer.taken()


def _sent(
    archive: zipfile.ZipFile, buffer: xlsx.Pipe, entry: zipfile.ZipInfo, pieces: Iterable[bytes]
) -> Iterator[bytes]:
    """Write one file into a zip; what the zip has become by each of its pieces."""
    with archive.open(entry, "w", force_zip64=True) as file:  # nobody knows yet how large it gets
        for piece in pieces:
            file.write(piece)
            yield buffer.taken()


def _is_any(connection: Connection, file: _File, source_id: int) -> bool:
    return connection.execute(file.query.limit(1), {"source": source_id}).first() is not None


def _csv(connection: Connection, file: _File, source_id: int) -> Iterator[bytes]:
    rows = connection.execute(file.query, {"source": source_id}, execution_options=_STREAMED)
    return csv_files.lines(file.heading, map(file.cells, rows))


def _lines(engine: Engine, source_id: int, last: int) -> Iterator[bytes]:
    """The events of a source up to one, a line each, some lines at a time.

    Raises:
        CutShort: the source is being deleted.
    """
    after = 0
    while after < last:
        with engine.connect() as connection:
            if connection.scalar(_STATE, {"source": source_id}) != visibility.ACTIVE:
                raise CutShort("The source was deleted while its events were exported.")
            page = {"source": source_id, "after": after, "last": last}
            sizes = connection.execute(_SIZES, page | {"most": EVENTS_AT_ONCE})
            after = within(map(tuple, sizes), MOST_BYTES) or last
            bodies = connection.scalars(_BODIES, page | {"last": after}).all()
        yield b"".join(body.translate(_ONE_LINE) + b"\n" for body in bodies)


_OF_SOURCE = Event.source_id == bindparam("source")
_LAST_EVENT = select(Event.id).where(_OF_SOURCE).order_by(Event.id.desc()).limit(1)
_STATE = select(Source.state).where(Source.id == bindparam("source"))
_BETWEEN = (_OF_SOURCE, Event.id > bindparam("after"), Event.id <= bindparam("last"))
_SIZES = select(Event.id, func.length(Event.body)).where(*_BETWEEN)
_SIZES = _SIZES.order_by(Event.id).limit(bindparam("most"))
_BODIES = select(Event.body).where(*_BETWEEN).order_by(Event.id)


def _plan(row: Any) -> Sequence[str]:
    return f"pl_{row.uuid}", row.external_id, row.name, _interval(row)


def _subscription(row: Any) -> Sequence[str]:
    return (
        f"sub_{row.uuid}",
        row.external_id,
        f"cus_{row.customer_uuid}" if row.customer_uuid else "",
        row.customer or "",
        row.plan or "",
        row.plan_name or "",
        row.amount,
        row.currency,
        _interval(row),
        iso(row.start_at),
        iso(row.end_at) if row.end_at is not None else "",
        "true" if row.past_due else "false",
        plain(revenue.paid(row, row.adjusted).mrr.quantize(_CENT, ROUND_HALF_EVEN)),
        row.adjusted or "",
        row.reason or "",
        row.adjusted_by or "",
        row.connection_uuid or "",
    )


def _note(row: Any) -> Sequence[str]:
    # A record that another policy hides has no row; it comes back under the uuid of its origin.
    return (
        f"{PREFIXES[row.entity]}{row.customer_uuid or row.origin_uuid}",
        row.entity,
        row.external_id or row.contact_user_id or "",
        row.email or "",
        row.text,
        row.author or "",
        iso(row.created_at),
        iso(row.updated_at),
    )


def _interval(row: Any) -> str:
    return f"{row.interval_count} {row.interval_unit}{'' if row.interval_count == 1 else 's'}"


_PLANS = select(Plan.__table__).where(Plan.source_id == bindparam("source")).order_by(Plan.id)
_SUBSCRIPTIONS = (
    select(
        Subscription.__table__,
        Customer.uuid.label("customer_uuid"),
        DataSourceCustomer.external_id.label("customer"),
        Plan.external_id.label("plan"),
        Plan.name.label("plan_name"),
        MrrAdjustment.mrr.label("adjusted"),
        MrrAdjustment.reason,
        User.email.label("adjusted_by"),
    )
    .outerjoin(DataSourceCustomer, DataSourceCustomer.origin_uuid == Subscription.origin_uuid)
    .outerjoin(Customer, Customer.id == DataSourceCustomer.customer_id)
    .outerjoin(Plan, Plan.id == Subscription.plan_id)
    .outerjoin(MrrAdjustment, MrrAdjustment.subscription_id == Subscription.id)
    .outerjoin(User, User.id == MrrAdjustment.user_id)
    .where(Subscription.source_id == bindparam("source"))
    .order_by(Subscription.id)
)
_NOTES = (
    select(
        Note.__table__,
        Customer.uuid.label("customer_uuid"),
        DataSourceCustomer.external_id,
        Contact.user_id.label("contact_user_id"),
        func.coalesce(Contact.email, Customer.email).label("email"),
        User.email.label("author"),
    )
    .outerjoin(
        DataSourceCustomer,
        and_(Note.entity == "customer", DataSourceCustomer.origin_uuid == Note.origin_uuid),
    )
    .outerjoin(Customer, Customer.id == DataSourceCustomer.customer_id)
    .outerjoin(Contact, and_(Note.entity == "contact", Contact.uuid == Note.origin_uuid))
    .outerjoin(User, User.id == Note.user_id)
    .where(Note.source_id == bindparam("source"))
    .order_by(Note.id)
)
_FILES = (
    _File(
        "plans.csv",
        "what is sold, and how often it is paid for",
        ("uuid", "external_id", "name", "interval"),
        _PLANS,
        _plan,
    ),
    _File(
        "subscriptions.csv",
        "one line per subscription; those that share a connection count as one",
        (
            *("uuid", "external_id", "customer_uuid", "customer_external_id", "plan", "plan_name", "amount"),
            *("currency", "interval", "start", "end", "past_due", "mrr", "mrr_adjustment"),
            *("adjustment_reason", "adjusted_by", "connection"),
        ),
        _SUBSCRIPTIONS,
        _subscription,
    ),
    _File(
        "notes.csv",
        "what people wrote on customers and contacts of this source",
        ("record_uuid", "entity", "external_id", "email", "text", "author", "created_at", "updated_at"),
        _NOTES,
        _note,
    ),
)


def _entry(name: str, at: int) -> zipfile.ZipInfo:
    moment = datetime.fromtimestamp(at // 1_000_000, UTC)
    entry = zipfile.ZipInfo(name, moment.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


def _readme(name: str, at: int, about: Mapping[str, str], has_events: bool) -> str:
    files = "".join(f"{file:<18} {text}\r\n" for file, text in about.items())
    left_out = "The events as they were received are not in it.\r\n\r\n"
    return (
        f"The data of the source “{name}”, as of {iso(at)}.\r\n\r\n"
        f"{files}\r\n{left_out if has_events and EVENTS not in about else ''}"
        "CSV is in UTF-8, comma-separated, with times in UTC. A text that a spreadsheet would take\r\n"
        "for a formula (it begins with =, +, -, @, a tab or a carriage return) has an apostrophe in\r\n"
        "front; numbers and phone numbers have not.\r\n"
    )
