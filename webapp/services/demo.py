"""The demo: a source that is filled with made-up events, by the way that real ones take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from sqlalchemy import Engine, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.digests import digest
from webapp.models import Event, Source, WebhookUrl, now
from webapp.services import demo_events, projection, sources, tokens
from webapp.services.inbox import Call, Verdict
from webapp.services.ingest import Unavailable, Writer

POLICY = "user"
CALL = 250  # events handed over at once


class Unfit(ValueError):
    """The source of that name cannot be filled; the text is for the person who asked."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What filling a demo did.

    Attributes:
        source_id: the demo's source.
        new: events that were stored.
        known: events that were there already, the stream's own repeats among them.
    """

    source_id: int
    new: int
    known: int


def fill(session: Session, engine: Engine, settings: Settings, name: str, seed: int) -> Filled:
    """Make the demo's source unless it is there, store its events and fold them.

    Args:
        session: of the caller; committed here.
        engine: of the same database.
        settings: of this installation.
        name: of the source.
        seed: which of the many demos.

    Raises:
        sources.Refused: the source cannot have that name.
        Unfit: a source of that name has events of its own, or takes none now.
    """
    source = _source(session, settings, name)
    # What happened ends on the day on which the source was made, so that a second run tells the same.
    until = source.created_at // demo_events.DAY * demo_events.DAY
    events = [*demo_events.make(seed, until)]
    _check(session, source, events[0])
    source_id, token, signing = source.id, _token(session, source), source.signing_sealed
    before = _stored(session, source_id)
    session.rollback()
    _store(engine, token, signing, events)
    projection.drain(engine, source_id, settings=settings)
    new = _stored(session, source_id) - before
    return Filled(source_id, new, len(events) - new)


def _source(session: Session, settings: Settings, name: str) -> Source:
    key = sources.name_key(sources.checked_name(name))
    found = session.scalars(select(Source).where(Source.name_key == key)).one_or_none()
    return found or sources.add(session, settings, name, POLICY, tokens.make_token())


def _check(session: Session, source: Source, body: bytes) -> None:
    """Refuse to mix made-up people into a source that tells of real ones."""
    any_event = exists().where(Event.source_id == source.id)
    if not session.scalar(select(any_event)):
        return
    first = or_(Event.digest == digest(body), and_(Event.digest.is_(None), Event.body == body))
    if not session.scalar(select(exists().where(Event.source_id == source.id, first))):
        raise Unfit(
            f"The source “{source.name}” holds events of its own, so nothing was added. "
            "Give the demo another name: demo --name NAME"
        )


def _token(session: Session, source: Source) -> bytes:
    """Digest of the token of the source's live URL."""
    url = sources.live_url(session, source)
    return cast(WebhookUrl, url).token_digest


def _stored(session: Session, source_id: int) -> int:
    return session.scalar(select(func.count()).select_from(Event).where(Event.source_id == source_id)) or 0


def _store(engine: Engine, token: bytes, signing: bytes | None, events: list[bytes]) -> None:
    """Hand the events to the webhook's own writer. Folding follows at once, so nobody has to be woken."""
    writer = Writer(engine, lambda _: None)
    try:
        for begin in range(0, len(events), CALL):
            verdict = writer.submit(Call(token, now(), events[begin : begin + CALL], signing=signing))
            if verdict is not Verdict.ACCEPTED:
                raise Unfit(f"The source takes no events now ({verdict.value}). Resume it, then try again.")
    except Unavailable as error:
        raise Unfit(
            f"Events could not be stored: {error}. What was stored is kept; run the command again."
        ) from None
    finally:
        writer.close()
