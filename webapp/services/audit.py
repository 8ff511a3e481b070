"""The audit log: who did what, and when, as sentences."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Text, cast, delete, insert, or_, select
from sqlalchemy.orm import Session

from webapp.models.account import User
from webapp.models.audit import AuditLine
from webapp.models.base import now
from webapp.models.customer import Customer
from webapp.models.source import Source
from webapp.services.rows import delete_in, select_in

PAGE_SIZE = 50

# What a line says after the name of who did it; words in braces are its details.
SENTENCES = {
    "user.set_up": "set up this installation as its first administrator",
    "user.signed_in": "signed in",
    "user.invited": "made a link that adds {email} as {role}",
    "user.joined": "joined as {role}",
    "user.added": "added {email} as {role}",
    "user.role_changed": "made {email} {role}",
    "user.removed": "removed {email}",
    "user.link_made": "made a link that sets a new password for {email}",
    "user.link_withdrawn": "withdrew the link for {email}",
    "user.password_set": "set a new password by a one-time link",
    "user.password_changed": "changed their password",
    "user.renamed": "changed their name",
    "source.added": "added the source {name}",
    "source.billing_added": "added the billing source {name}",
    "source.renamed": "renamed the source {old} to {name}",
    "source.policy_changed": "set the policy of {name} to “{policy}”",
    "source.mapped": "sent {path} of {call} calls of {name} to {to}",
    "source.tracks_limited": "set which track calls of {name} are imported: {tracks}",
    "source.mapping_replaced": "gave {name} another mapping, of {rules} rules",
    "source.mapping_applied": "let new events of {name} follow its mapping from now on",
    "source.regenerated": "regenerated the webhook URL of {name}; the old one ends {grace}",
    "source.key_regenerated": "regenerated the write key of {name}; the old one ends {grace}",
    "source.signatures_asked": "had {name} take only calls with a signature",
    "source.signatures_unasked": "let {name} take calls without a signature again",
    "source.test_event_sent": "sent a test event to {name}",
    "source.paused": "paused the source {name}",
    "source.resumed": "resumed the source {name}",
    "source.retention_changed": "chose to keep raw events of {name} {kept}",
    "source.resynced": "asked for a re-sync of {name}",
    "source.cancelled": "cancelled the work under way on {name}",
    "source.rebuilt": "asked for a rebuild of {name}",
    "source.exported": "exported the source {name}",
    "source.imported": "began to import existing data into {name}",
    "source.deleted": "began to delete the source {name}",
    "source.erased": "erased {name}: {rows}",
    "billing.file_begun": "began to import a file of {of} into {name}",
    "automation.added": "added the automation “{rule}”",
    "automation.changed": "changed the automation “{rule}”",
    "automation.switched_on": "switched the automation “{rule}” on",
    "automation.switched_off": "switched the automation “{rule}” off",
    "automation.undone": "switched the automation “{rule}” off and undid its merges",
    "automation.removed": "removed the automation “{rule}”",
    "automation.merged": "had the automation “{rule}” merge {number}",
    "automation.free_mail_changed": "changed the list of free-mail domains: {domains}",
    "api_key.made": "made the API key {name}, which may {scope}",
    "api_key.revoked": "revoked the API key {name}",
    "customer.status_set": "set the status of the lead {record} to {status}",
    "customer.owner_set": "gave the customer {record} an owner",
    "customer.owner_taken": "took the owner of the customer {record} away",
    "customer.tagged": "changed the tags of the customer {record}",
    "customer.value_set": "set {attribute} of the customer {record} by hand",
    "customer.value_taken_back": "took back what was set by hand as {attribute} of the customer {record}",
    "customer.note_added": "wrote a note on the customer {record}",
    "customer.note_changed": "changed a note of theirs on the customer {record}",
    "customer.note_deleted": "deleted a note of theirs on the customer {record}",
    "customer.merged": "merged {other} into {record}",
    "customer.unmerged": "took the merge of {other} into {record} back",
    "customer.told_apart": "said that {other} is not the same as {record}",
    "customer.deleted": "deleted the customer {record}",
    "customer.subscription_deleted": "deleted a subscription of the customer {record}",
    "customer.mrr_adjusted": "adjusted the MRR of a subscription of the customer {record}",
    "customer.adjustment_removed": "removed an MRR adjustment of the customer {record}",
    "customer.subscriptions_connected": "connected subscriptions of the customer {record}",
    "customer.subscriptions_disconnected": "disconnected subscriptions of the customer {record}",
    "customer.many_changed": "gave {number} {what}",
    "contact.value_set": "set {attribute} of the contact {record} by hand",
    "contact.value_taken_back": "took back what was set by hand as {attribute} of the contact {record}",
    "contact.merged": "merged {other} into {record}",
    "contact.separated": "separated {other} from {record}",
    "contact.deleted": "deleted the contact {record}",
    "contact.note_added": "wrote a note on the contact {record}",
    "contact.note_changed": "changed a note of theirs on the contact {record}",
    "contact.note_deleted": "deleted a note of theirs on the contact {record}",
    "plan.deleted": "deleted the plan {plan} of {name}",
    "attribute.hidden": "hid the custom attribute {key} of {entity}s",
    "attribute.shown": "showed the custom attribute {key} of {entity}s again",
    "attribute.ignored": "chose to ignore the custom attribute {key} of {entity}s",
    "attribute.heeded": "chose to import the custom attribute {key} of {entity}s again",
}
# What a detail is called where its bare value would not read well.
WORDS: dict[str, Callable[[Any], str]] = {
    "role": lambda role: f"{'an' if str(role)[:1] in 'aeiou' else 'a'} {role}",
    "rows": lambda rows: f"{rows:,} {'row' if rows == 1 else 'rows'}",
}
# Codes whose own words are not those of the pages.
LABELS = {
    "api_key.made": "API key made",
    "api_key.revoked": "API key revoked",
    "attribute.heeded": "Attribute imported again",
    "source.resynced": "Source re-synced",
    "source.billing_added": "Billing source added",
    "source.key_regenerated": "Write key regenerated",
    "source.signatures_asked": "Signatures asked for",
    "source.signatures_unasked": "Signatures no longer asked for",
    "source.test_event_sent": "Test event sent",
}
# What a detail is called that older lines do not hold.
MISSING = {"other": "another record"}
COMMAND_LINE = "Command line"
API_KEY = "API key "
_DECIDED = ("customer.merged", "customer.unmerged", "customer.told_apart")
_acting: ContextVar[str | None] = ContextVar("acting", default=None)


@dataclass(frozen=True, slots=True)
class Line:
    """One line as people read it."""

    id: int
    at: int
    who: str
    action: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some lines, newest first, and where the pages beside them begin."""

    lines: list[Line]
    newer: int | None
    """The `after` of the page of newer lines; None when there is none."""
    older: int | None
    """The `before` of the page of older lines; None when there is none."""


class _Details(dict[str, Any]):
    """Details as a sentence asks for them; what an older line does not hold leaves a gap, not an error."""

    def __getitem__(self, key: str) -> str:
        value = self.get(key)
        if value is None:
            return MISSING.get(key, "…")
        return WORDS.get(key, str)(value)


@contextmanager
def acting(program: str) -> Iterator[None]:
    """Inside this block a line without a user tells of this program, such as `API key Billing`."""
    token = _acting.set(program)
    try:
        yield
    finally:
        _acting.reset(token)


def record(
    session: Session | Connection,
    action: str,
    user_id: int | None = None,
    source_uuid: str | None = None,
    **details: Any,
) -> None:
    """Write one line, in the transaction of what it tells of.

    Args:
        session: an ORM session or a connection; it is not committed here.
        action: a code of `SENTENCES`, such as `source.added`.
        user_id: who did it; None for the command line, or for the program that acts (`acting`).
        source_uuid: of the source it was done to, without the prefix.
        details: what the sentence names. Never a secret, never what a source told about people. The uuids of
            more sources that the line goes with stand under `sources`.
    """
    if user_id is not None:
        # Kept beside the id, so that a line still says whose act it was once the account is gone.
        details.setdefault("by", session.scalar(select(User.email).where(User.id == user_id)))
    elif (program := _acting.get()) is not None:
        details.setdefault("by", program)
    session.execute(
        insert(AuditLine).values(
            at=now(), user_id=user_id, action=action, source_uuid=source_uuid, details=details
        )
    )


def record_on(
    connection: Connection,
    action: str,
    user_id: int | None,
    source_ids: Iterable[int | None],
    **details: Any,
) -> None:
    """Write one line on what belongs to some sources; it goes with whichever of them goes first.

    Args:
        connection: as `record`.
        action, user_id, details: as `record`.
        source_ids: of the sources of all records that the line names, the first one's first.
    """
    wanted = list(dict.fromkeys(id for id in source_ids if id is not None))
    rows = connection.execute(select(Source.id, Source.uuid).where(Source.id.in_(wanted))).all()
    uuids = {row.id: row.uuid for row in rows}
    first, *others = [uuids[id] for id in wanted if id in uuids] or [None]
    if others:
        details["sources"] = others
    record(connection, action, user_id, first, **details)


def forget(connection: Connection, source_uuid: str) -> None:
    """Erase the lines on a source and its records, in the caller's transaction."""
    ours = or_(AuditLine.source_uuid == source_uuid, cast(AuditLine.details, Text).contains(source_uuid))
    connection.execute(delete(AuditLine).where(ours))
    # Lines of older versions on what was decided in a review list say of no source.
    query = select(AuditLine.id, AuditLine.details).where(
        AuditLine.source_uuid.is_(None), AuditLine.action.in_(_DECIDED)
    )
    named = {row.id: str(row.details.get("record", ""))[4:] for row in connection.execute(query)}
    there = {row.uuid for row in select_in(connection, select(Customer.uuid), Customer.uuid, named.values())}
    delete_in(connection, AuditLine, AuditLine.id, [id for id, uuid in named.items() if uuid not in there])


def forget_attributes(connection: Connection, gone: Collection[tuple[str, str]]) -> None:
    """Erase the lines on custom attributes that no source tells any more, as (entity, key)."""
    if not gone:
        return
    query = select(AuditLine.id, AuditLine.details).where(AuditLine.action.startswith("attribute."))
    rows = connection.execute(query).all()
    ours = [row.id for row in rows if (row.details.get("entity"), row.details.get("key")) in gone]
    delete_in(connection, AuditLine, AuditLine.id, ours)


def sentence(action: str, details: Mapping[str, Any]) -> str:
    """What a line says after the name: `added the source Acme`. An unknown code is shown as words."""
    known = SENTENCES.get(action)
    if known is None:
        return label(action).lower()
    return known.format_map(_Details(details))


def label(action: str) -> str:
    """A code in words, for a filter: `Source regenerated`."""
    return LABELS.get(action) or action.replace(".", " ").replace("_", " ").capitalize()


def lines(
    session: Session,
    action: str = "",
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE_SIZE,
) -> Page:
    """One page of the log, newest first.

    Args:
        session: to read with.
        action: only lines of this code; empty for all.
        before: only lines older than the one with this id.
        after: only lines newer than the one with this id; with neither, the newest.
        limit: the greatest number of lines.
    """
    query = (
        select(AuditLine, User.name, User.email, Source.name)
        .outerjoin(User, User.id == AuditLine.user_id)
        .outerjoin(Source, Source.uuid == AuditLine.source_uuid)
        .order_by(AuditLine.id.asc() if after is not None else AuditLine.id.desc())
        .limit(limit + 1)
    )
    if action:
        query = query.where(AuditLine.action == action)
    if after is not None:
        query = query.where(AuditLine.id > after)
    elif before is not None:
        query = query.where(AuditLine.id < before)
    rows = session.execute(query).all()
    more = len(rows) > limit
    shown = [_line(*row) for row in rows[:limit]]
    if after is not None:
        shown.reverse()
    newer, older = (more, True) if after is not None else (before is not None, more)
    return Page(shown, shown[0].id if shown and newer else None, shown[-1].id if shown and older else None)


def _line(line: AuditLine, name: str | None, email: str | None, source: str | None) -> Line:
    named = {"name": source or f"ds_{line.source_uuid}", **line.details}
    return Line(
        id=line.id,
        at=line.at,
        who=name or email or line.details.get("by") or COMMAND_LINE,
        action=line.action,
        sentence=sentence(line.action, named),
    )


def actions(session: Session) -> list[str]:
    """The codes that occur in the log, for its filter."""
    return sorted(session.scalars(select(AuditLine.action).distinct()))
