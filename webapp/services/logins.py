"""Sessions on the server: they begin with a password and end when their row goes."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, bindparam, delete, select, update
from sqlalchemy.orm import Session

from webapp.database import begin
from webapp.models.account import Login, User
from webapp.models.base import now
from webapp.services import accounts, audit, passwords, tokens

MICROS_PER_DAY = 86_400 * 1_000_000
# How old `last_seen_at` may grow before a request writes it anew.
TOUCH_AFTER = 3600 * 1_000_000
# Asked by every request, and put together once.
_OF_TOKEN = (
    select(User.id, Login.id, User.email, User.name, User.role, Login.confirmed_at, Login.last_seen_at)
    .join(User, User.id == Login.user_id)
    .where(Login.token_digest == bindparam("digest"), Login.last_seen_at > bindparam("since"))
)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who a request comes from. Plain values: looking at them never asks the database."""

    id: int
    """The account's id, for `audit.record` and the like."""
    login_id: int
    email: str
    name: str
    role: str
    confirmed_at: int
    last_seen_at: int
    is_authenticated: bool = True

    @property
    def is_administrator(self) -> bool:
        return self.role == "administrator"

    @property
    def stale(self) -> bool:
        """Whether the session's time should be prolonged now."""
        return now() - self.last_seen_at > TOUCH_AFTER


def find(engine: Engine, token: str, days: int) -> SignedIn | None:
    """Whose session this is, in a transaction of its own that is over at once.

    Args:
        engine: of the application.
        token: from the cookie.
        days: how long a session lives without being used.

    Returns:
        None when there is no such session, or none any more.
    """
    since = now() - days * MICROS_PER_DAY
    with engine.connect() as connection:
        row = connection.execute(_OF_TOKEN, {"digest": tokens.digest(token), "since": since}).first()
    return SignedIn(*row) if row else None


def touch(engine: Engine, login_id: int) -> None:
    """Prolong a session by its whole lifetime, from now."""
    with begin(engine) as connection:
        connection.execute(update(Login).where(Login.id == login_id).values(last_seen_at=now()))


def authenticate(session: Session, email: str, password: str) -> int | None:
    """Check an e-mail address and a password; an unknown address takes as long as a wrong password.

    Returns:
        The account's id, or None.
    """
    # PostgreSQL takes no NUL in a text; nobody's address has one.
    wanted = accounts.normal_email(email).replace("\0", " ")
    row = session.execute(select(User.id, User.password_hash).where(User.email == wanted)).first()
    # Nothing is held while the password is hashed: on SQLite that would be the write lock.
    session.rollback()
    user_id, kept = row if row else (None, None)
    if not passwords.verified(password, kept):
        return None
    if kept and passwords.outdated(kept):
        fresh = passwords.hashed(password)
        same = (User.id == user_id, User.password_hash == kept)
        session.execute(update(User).where(*same).values(password_hash=fresh))
        session.commit()
    return user_id


def start(session: Session, user_id: int, days: int, instead_of: int | None = None) -> str:
    """Begin a session, and forget those that have run out.

    Args:
        session: committed here.
        user_id: whose password was just checked.
        days: how long a session lives without being used.
        instead_of: the session that the same browser had, which ends.

    Returns:
        The token for the cookie; the database keeps its digest only.
    """
    token = tokens.make_token()
    at = now()
    over = Login.last_seen_at <= at - days * MICROS_PER_DAY
    session.execute(delete(Login).where(over | (Login.id == (instead_of or 0))))
    session.add(
        Login(
            token_digest=tokens.digest(token),
            user_id=user_id,
            created_at=at,
            last_seen_at=at,
            confirmed_at=at,
        )
    )
    session.execute(update(User).where(User.id == user_id).values(last_sign_in_at=at))
    audit.record(session, "user.signed_in", user_id=user_id)
    session.commit()
    return token


def end(session: Session, login_id: int) -> None:
    """Sign out: the cookie is worth nothing from now on, wherever a copy of it may be."""
    session.execute(delete(Login).where(Login.id == login_id))
    session.commit()


def confirm(session: Session, who: SignedIn, password: str) -> bool:
    """Check the password again within a session, and remember when; False when it is wrong."""
    if authenticate(session, who.email, password) != who.id:
        return False
    session.execute(update(Login).where(Login.id == who.login_id).values(confirmed_at=now()))
    session.commit()
    return True
