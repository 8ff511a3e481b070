"""Keys of the API: made and shown once, found by their digest, revoked."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.database import begin
from webapp.models import ApiKey, User, now
from webapp.models.api_key import READ, WRITE
from webapp.services import audit, tokens
from webapp.services.sources import LONGEST_NAME, Refused, name_key
from webapp.services.transactions import write

SCOPES = {READ: "read", WRITE: "read and write"}
PREFIX = "trk_"
SHOWN = len(PREFIX) + 6
"""Characters of a key that are kept to know it by: too few to tell anything of the rest."""
MICROS_PER_MINUTE = 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A key as its page lists it.

    Attributes:
        key: its row.
        who: name or address of who made it; None when that account is gone.
    """

    key: ApiKey
    who: str | None

    @property
    def may(self) -> str:
        """What it may do, in words."""
        return SCOPES[self.key.scope]


@dataclass(frozen=True, slots=True)
class Caller:
    """Which key a call came with.

    Attributes:
        stale: whether it was last noted as used more than a minute ago.
    """

    id: int
    name: str
    may_write: bool
    stale: bool


def every(session: Session) -> list[Listed]:
    """All keys, the latest first."""
    query = select(ApiKey, User.name, User.email).outerjoin(User, User.id == ApiKey.user_id)
    rows = session.execute(query.order_by(ApiKey.id.desc())).all()
    return [Listed(key, name or email) for key, name, email in rows]


def find(session: Session, key_id: int) -> ApiKey | None:
    """The key with this id; None when it was revoked."""
    return session.get(ApiKey, key_id)


def make(session: Session, name: str, scope: str, by: int) -> str:
    """Make a key, and give it out this once.

    Args:
        session: committed here.
        name: what uses it, as typed; blanks around it are taken off.
        scope: READ or WRITE.
        by: the id of the user who makes it.

    Returns:
        The key; the database keeps its digest only.

    Raises:
        Refused: the name is empty, too long, unreadable or taken, or there is no such scope.
    """
    name, token = _checked_name(name), PREFIX + tokens.make_token()
    if scope not in SCOPES:
        raise Refused("scope", "Choose what the key may do.")
    row = ApiKey(
        name=name,
        name_key=name_key(name),
        prefix=token[:SHOWN],
        digest=tokens.api_key_digest(token),
        scope=scope,
        user_id=by,
        created_at=now(),
    )
    try:
        with write(session):
            session.add(row)
            session.flush()
            audit.record(session, "api_key.made", by, name=name, scope=SCOPES[scope])
    except IntegrityError:
        raise Refused("name", f"There is already a key named “{name}”. Choose another name.") from None
    return token


def revoke(session: Session, key_id: int, by: int) -> str | None:
    """Let a key open nothing any more; its name, or None when it was revoked already.

    Args:
        session: committed here.
        key_id: which.
        by: the id of the user who revokes it.
    """
    with write(session):
        key = session.get(ApiKey, key_id)
        if key is None:
            return None
        name = key.name
        session.delete(key)
        audit.record(session, "api_key.revoked", by, name=name)
    return name


def caller(engine: Engine, token: str) -> Caller | None:
    """Whose call it is that came with a key; None for one that is none, or none any more.

    The key is found by its digest, so the time that this takes tells nothing about any key.
    """
    query = select(ApiKey.id, ApiKey.name, ApiKey.scope, ApiKey.last_used_at).where(
        ApiKey.digest == tokens.api_key_digest(token)
    )
    with engine.connect() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    stale = row.last_used_at is None or now() - row.last_used_at > MICROS_PER_MINUTE
    return Caller(row.id, row.name, row.scope == WRITE, stale)


def touch(engine: Engine, key_id: int) -> None:
    """Note that a key was used."""
    with begin(engine) as connection:
        connection.execute(update(ApiKey).where(ApiKey.id == key_id).values(last_used_at=now()))


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name:
        raise Refused("name", "Give this key a name, such as that of the program that will use it.")
    if len(name) > LONGEST_NAME:
        raise Refused("name", f"A name has at most {LONGEST_NAME} characters; this one has {len(name):,}.")
    if not name.isprintable():
        raise Refused("name", "This name has characters that cannot be shown. Type it again.")
    return name
