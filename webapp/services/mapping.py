"""A source's mapping: what people choose, and when the tables follow it.

Saving another mapping changes nothing yet: what is folded is folded, so a rebuild applies it, and until then
new events follow the mapping before. A source that has read nothing follows a new mapping at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from webapp.domain import mapping as mappings
from webapp.domain.mapping import IGNORE, Mapping, MappingError, Rule, target
from webapp.domain.paths import track_name
from webapp.models import Event, Source, now
from webapp.models.event import PENDING
from webapp.services import audit, syncs
from webapp.services.sources import Refused
from webapp.services.transactions import write

DEFAULT_PLACE = ""
"""The destination of what no rule is about."""


def chosen(source: Source) -> Mapping:
    """What people want."""
    return mappings.of(source.mapping)


def applied(source: Source) -> Mapping:
    """What the tables show and new events follow."""
    return mappings.of(source.applied_mapping)


def send(
    session: Session, source: Source, paths: Iterable[tuple[str, str]], to: str, by: int | None = None
) -> bool:
    """Send the values at some paths somewhere.

    Args:
        session: committed here.
        source: whose.
        paths: pairs of call and path.
        to: a destination (`Rule.to`); empty: where they go by default.
        by: the id of the user who says so; None for the command line.

    Returns:
        False when they went there already.

    Raises:
        Refused: there can be no such rule.
    """
    paths, at = list(paths), now()

    def edit(mapping: Mapping) -> Mapping:
        for call, path in paths:
            known = mapping.rule(call, path)
            if to == DEFAULT_PLACE:
                mapping = mapping.without(call, path)
            elif known is None or known.to != to:
                mapping = mapping.with_rule(Rule(call, path, to, by, at))
        return mapping

    def tell() -> None:
        for call, path in paths:
            details = {"name": source.name, "call": call, "path": path, "to": in_words(to)}
            audit.record(session, "source.mapped", by, source.uuid, **details)

    return _change(session, source, edit, tell)


def limit_tracks(
    session: Session, source: Source, names: Iterable[str] | None, by: int | None = None
) -> bool:
    """Import the track calls of some names only; None for all of them, nothing for none.

    Returns:
        False when it was so already.

    Raises:
        Refused: these are too many names.
    """
    limited = None if names is None else tuple(sorted({track_name(name) for name in names}))
    if limited is not None and len(limited) > mappings.MOST_NAMES:
        raise Refused("names", f"At most {mappings.MOST_NAMES:,} names can be chosen.")

    def tell() -> None:
        said = "all of them" if limited is None else f"{len(limited):,} by name" if limited else "none"
        audit.record(session, "source.tracks_limited", by, source.uuid, name=source.name, tracks=said)

    return _change(session, source, lambda mapping: mapping.with_tracks(limited), tell)


def replace(session: Session, source: Source, document: Any, by: int | None = None) -> bool:
    """Make a whole mapping the chosen one; rules that it had already keep who made them and when.

    Args:
        session: committed here.
        source: whose.
        document: as `mappings.of` takes it.
        by: the id of the user who says so; None for the command line.

    Returns:
        False when it said the same already.

    Raises:
        Refused: the document is no mapping.
    """
    try:
        told = mappings.of(document)
    except MappingError as error:
        raise Refused("", str(error)) from None
    at = now()

    def edit(before: Mapping) -> Mapping:
        rules = []
        for rule in told.rules:
            known = before.rule(rule.call, rule.path)
            kept = known is not None and known.to == rule.to
            rules.append(known if known is not None and kept else Rule(*_three(rule), by, at))
        return Mapping(tuple(rules), told.tracks)

    def tell() -> None:
        details = {"name": source.name, "rules": len(told.rules)}
        audit.record(session, "source.mapping_replaced", by, source.uuid, **details)

    return _change(session, source, edit, tell)


def apply_from_now(session: Session, source: Source, by: int | None = None) -> None:
    """Let new events follow the chosen mapping without a rebuild; what was read before stays as it is.

    For a source whose old events retention has dropped: a rebuild would forget what they told.

    Raises:
        Refused: this source can be rebuilt, or work on it is under way.
    """
    with write(session):
        _lock(session, source)
        if source.dropped_before is None:
            raise Refused("", "Rebuild this source instead: then everything it has told follows the mapping.")
        if syncs.open_sync(session, source.id) is not None:
            raise Refused("", "Work on this source is under way. Try again when it has finished.")
        source.applied_mapping = source.mapping
        audit.record(session, "source.mapping_applied", by, source.uuid, name=source.name)


def in_words(to: str) -> str:
    """A destination as a sentence names it: `the contact’s title`, `the customer’s custom attribute plan`."""
    if to == DEFAULT_PLACE:
        return "where it goes by default"
    if to == IGNORE:
        return "nowhere"
    entity, name, is_custom = target(to)
    return f"the {entity}’s {'custom attribute ' if is_custom else ''}{name}"


def _three(rule: Rule) -> tuple[str, str, str]:
    return rule.call, rule.path, rule.to


def _change(
    session: Session, source: Source, edit: Callable[[Mapping], Mapping], tell: Callable[[], None]
) -> bool:
    with write(session):
        _lock(session, source)
        before = chosen(source)
        try:
            after = edit(before)
        except MappingError as error:
            raise Refused("to", str(error)) from None
        if len(after.rules) > mappings.MOST_RULES:
            raise Refused("to", f"A source has at most {mappings.MOST_RULES:,} rules.")
        if after.says() == before.says():
            return False
        source.mapping = mappings.document_of(after)
        if not _has_read(session, source):
            source.applied_mapping = source.mapping
        tell()
    return True


def _has_read(session: Session, source: Source) -> bool:
    """Whether anything was read by the mapping before, or is being read."""
    read = exists().where(Event.source_id == source.id, Event.state != PENDING)
    return syncs.open_sync(session, source.id) is not None or bool(session.scalar(select(read)))


def _lock(session: Session, source: Source) -> None:
    session.refresh(source, with_for_update={"key_share": True})
    if source.state != "active":
        raise Refused("", "This source is being deleted, so nothing about it can be changed any more.")
