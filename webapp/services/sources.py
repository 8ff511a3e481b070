"""Sources: add one, change it, pause it, give it another URL. Each verb is one transaction."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Select, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.domain.text import clean
from webapp.models import Rejection, Source, WebhookUrl, now
from webapp.models.base import new_uuid
from webapp.models.source import KEY, POLICIES, URL
from webapp.services import audit, tokens
from webapp.services.transactions import write

LONGEST_NAME = 255
PREFIX = "ds_"
# What a person may choose between, in seconds, for an old URL to live on.
GRACES = {0: "At once", 3600: "In 1 hour", 86_400: "In 24 hours"}
PAUSES = ("keep", "refuse")
MICROS_PER_SECOND = 1_000_000


class Refused(ValueError):
    """What was asked for cannot be done; the text is for the person who asked.

    Attributes:
        field: the name of the field it is about.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def find(session: Session, public_id: str) -> Source | None:
    """The source with this public id, unless there is none or it is being deleted."""
    source = find_any(session, public_id)
    return source if source is not None and source.state == "active" else None


def find_any(session: Session, public_id: str) -> Source | None:
    """The source with this public id, also while it is being deleted; None when there is none."""
    if not public_id.startswith(PREFIX):
        return None
    uuid = clean(public_id.removeprefix(PREFIX))
    return session.scalars(select(Source).where(Source.uuid == uuid)).one_or_none()


def live_url(session: Session, source: Source, kind: str = URL) -> WebhookUrl | None:
    """The URL that Segment should post to now, or the write key that libraries should send.

    A source from before there were write keys has none until one is made with `regenerate`.
    """
    return session.scalars(_urls(source, kind).where(WebhookUrl.replaced_at.is_(None))).first()


def old_urls(session: Session, source: Source, kind: str = URL) -> list[WebhookUrl]:
    """The URLs, or write keys, that were replaced, the latest first."""
    wanted = _urls(source, kind).where(WebhookUrl.replaced_at.is_not(None))
    return list(session.scalars(wanted.order_by(WebhookUrl.id.desc())))


def rejections(session: Session, source: Source) -> list[Rejection]:
    """Calls that were turned away, per answer and reason, the latest first."""
    wanted = select(Rejection).where(Rejection.source_id == source.id).order_by(Rejection.last_at.desc())
    return list(session.scalars(wanted.limit(50)))


def add(
    session: Session, settings: Settings, name: str, policy: str, token: str, by: int | None = None
) -> Source:
    """Add a Segment source, with a webhook URL and a write key.

    Args:
        session: of the caller; what it has read so far is read again.
        settings: hold the key that seals the token.
        name: as typed; blanks around it are taken off.
        policy: `user` or `company`.
        token: of its webhook URL (`tokens.make_token`).
        by: the id of the user who adds it; None for the command line.

    Raises:
        Refused: the name is empty, too long, unreadable or taken, there is no such policy, or the token is in
            use (a form that was sent twice).
    """
    name = checked_name(name)
    _check_policy(policy)
    at = now()
    with write(session), _name_is_free(name):
        if session.scalar(select(WebhookUrl.id).where(WebhookUrl.token_digest == tokens.digest(token))):
            raise Refused(
                "sealed", "This URL belongs to a source already, so a new one was made. Copy it again."
            )
        source = Source(
            uuid=new_uuid(),
            name=name,
            name_key=name_key(name),
            policy=policy,
            applied_policy=policy,
            created_at=at,
            urls=[_sealed(settings, token, at), _sealed(settings, tokens.make_token(), at, KEY)],
        )
        session.add(source)
        session.flush()
        audit.record(session, "source.added", by, source.uuid, name=name, policy=POLICIES[policy])
    return source


def add_billing(session: Session, name: str, by: int | None = None) -> Source:
    """Add a billing source: what it tells comes by file or over the API.

    Args:
        session: of the caller; what it has read so far is read again.
        name: as typed; blanks around it are taken off.
        by: the id of the user who adds it; None for the command line and the API.

    Raises:
        Refused: the name is empty, too long, unreadable or taken.
    """
    name = checked_name(name)
    with write(session), _name_is_free(name):
        source = Source(uuid=new_uuid(), name=name, name_key=name_key(name), kind="billing", created_at=now())
        source.policy = source.applied_policy = "user"  # says nothing of a billing source
        session.add(source)
        session.flush()
        audit.record(session, "source.billing_added", by, source.uuid, name=name)
    return source


def rename(session: Session, source: Source, name: str, by: int | None = None) -> bool:
    """Give a source another name; False when it has that name already.

    Raises:
        Refused: the name is empty, too long, unreadable or taken.
    """
    name = checked_name(name)
    with write(session), _name_is_free(name):
        hold(session, source)
        if source.name == name:
            return False
        old = source.name
        source.name, source.name_key = name, name_key(name)
        session.flush()
        audit.record(session, "source.renamed", by, source.uuid, old=old, name=name)
    return True


def change_policy(session: Session, source: Source, policy: str, by: int | None = None) -> bool:
    """Save another policy; False when it was that already. The tables change only with a re-sync.

    Raises:
        Refused: there is no such policy, or it is a billing source.
    """
    _check_policy(policy)
    only_segment(source)
    with write(session):
        hold(session, source)
        if source.policy == policy:
            return False
        source.policy = policy
        details = {"name": source.name, "policy": POLICIES[policy]}
        audit.record(session, "source.policy_changed", by, source.uuid, **details)
    return True


def regenerate(
    session: Session,
    settings: Settings,
    source: Source,
    grace: int = 0,
    by: int | None = None,
    kind: str = URL,
) -> str:
    """Make a new webhook URL or write key and end the old one, at once or after a grace period.

    Args:
        session: of the caller.
        settings: hold the key that seals the token.
        source: whose it is.
        grace: how long calls with the old one are still taken, in seconds.
        by: the id of the user who asks; None for the command line.
        kind: `url` or `key`; the other one stays as it is.

    Returns:
        The new token.
    """
    only_segment(source)
    token, at = tokens.make_token(), now()
    end = at + grace * MICROS_PER_SECOND
    with write(session):
        hold(session, source)
        for url in session.scalars(_urls(source, kind)):
            if url.replaced_at is None:
                url.replaced_at, url.ends_at, url.token_sealed = at, end, None
            elif url.ends_at is not None and url.ends_at > end:
                url.ends_at = end  # one in its grace period gets no more time than the one just replaced
        new = _sealed(settings, token, at, kind)
        new.source_id = source.id
        session.add(new)
        action = "source.regenerated" if kind == URL else "source.key_regenerated"
        audit.record(session, action, by, source.uuid, name=source.name, grace=_when(grace))
    return token


def pause(session: Session, source: Source, mode: str, by: int | None = None) -> bool:
    """Pause a source: `keep` receives and lets events wait, `refuse` answers 503.

    Returns:
        False when it was so already.

    Raises:
        Refused: there is no such way to pause.
    """
    if mode not in PAUSES:
        raise Refused("mode", "Choose what happens to events that arrive while the source is paused.")
    return _set_pause(session, source, mode, by)


def resume(session: Session, source: Source, by: int | None = None) -> bool:
    """End a pause; False when there was none. The caller rings, so that what waits is taken in."""
    return _set_pause(session, source, "", by)


def sent_test_event(session: Session, source: Source, by: int | None = None) -> None:
    """Put into the audit log that somebody sent a test event."""
    with write(session):
        audit.record(session, "source.test_event_sent", by, source.uuid, name=source.name)


def exported(session: Session, source: Source, by: int | None = None) -> None:
    """Put into the audit log that everything of a source was exported."""
    with write(session):
        audit.record(session, "source.exported", by, source.uuid, name=source.name)


def checked_name(name: str) -> str:
    """A name without the blanks around it.

    Raises:
        Refused: it is empty, too long or unreadable.
    """
    name = name.strip()
    if not name:
        raise Refused("name", "Give this source a name.")
    if len(name) > LONGEST_NAME:
        raise Refused("name", f"A name has at most {LONGEST_NAME} characters; this one has {len(name):,}.")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise Refused("name", "This name has characters that cannot be shown. Type it again.")
    return name


def name_key(name: str) -> str:
    """A name as uniqueness compares it: however it is capitalised, composed or spaced."""
    return " ".join(unicodedata.normalize("NFKC", name.casefold()).split())


def only_segment(source: Source) -> None:
    """Refuse what only a Segment source has.

    Raises:
        Refused: it is a billing source.
    """
    if source.kind != "segment":
        raise Refused("", f"{source.name} is a billing source: it has no webhook, no policy and no events.")


def _set_pause(session: Session, source: Source, mode: str, by: int | None) -> bool:
    with write(session):
        hold(session, source)
        if source.pause == mode:
            return False
        source.pause = mode
        action = "source.paused" if mode else "source.resumed"
        audit.record(session, action, by, source.uuid, name=source.name, mode=mode)
    return True


def _check_policy(policy: str) -> None:
    if policy not in POLICIES:
        raise Refused("policy", f"Choose when a company is created: {' or '.join(POLICIES)}.")


def _when(grace: int) -> str:
    """When an old URL ends, for the audit log."""
    hours = grace / 3600
    return f"after {hours:g} h" if grace else "at once"


def _urls(source: Source, kind: str) -> Select[WebhookUrl]:
    return select(WebhookUrl).where(WebhookUrl.source_id == source.id, WebhookUrl.kind == kind)


def _sealed(settings: Settings, token: str, at: int, kind: str = URL) -> WebhookUrl:
    digest = tokens.digest(token) if kind == URL else tokens.key_digest(token)
    sealed = tokens.seal(settings.secret_key, token)
    return WebhookUrl(kind=kind, token_digest=digest, token_sealed=sealed, created_at=at)


def hold(session: Session, source: Source) -> None:
    """Hold the source's row until the transaction ends, and see it as it is now."""
    session.refresh(source, with_for_update={"key_share": True})
    if source.state != "active":
        raise Refused("", "This source is being deleted, so nothing about it can be changed any more.")


@contextmanager
def _name_is_free(name: str) -> Iterator[None]:
    # Asked of the database alone: a look before the leap would still lose a race.
    try:
        yield
    except IntegrityError:
        raise Refused("name", f"There is already a source named “{name}”. Choose another name.") from None
