"""Accounts: who may use Tributary, and in which role."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp.database import writing
from webapp.extensions import db
from webapp.models.account import ROLES, Invitation, Login, User
from webapp.models.base import now
from webapp.services import audit, tokens

SETUP_HOURS = 24
MICROS_PER_HOUR = 3600 * 1_000_000


class AccountError(Exception):
    """What was asked cannot be done; the text tells the person why and what to do."""


class EmailTaken(AccountError):
    """Somebody has an account with this e-mail address."""


class LastAdministrator(AccountError):
    """Without this administrator nobody could manage users or sources."""


class NoSuchUser(AccountError):
    """The account was removed meanwhile, or never was."""


def normal_email(text: str) -> str:
    """An e-mail address as accounts compare it."""
    return text.strip().lower()


def setup_token() -> str | None:
    """A fresh token for the link that makes the first administrator; earlier ones end.

    Returns:
        The token, good for 24 hours and one use; None when there is an administrator.
    """
    with writing():
        session = db.session()
        token = None
        if not lock_administrators(session):
            token = new_link(session, None, "administrator", SETUP_HOURS)
        session.commit()
    return token


def new_link(session: Session, email: str | None, role: str, hours: int) -> str:
    """Make a one-time link in place of an earlier one for the same address; its token."""
    same = Invitation.email.is_(None) if email is None else Invitation.email == email
    at = now()
    session.execute(delete(Invitation).where(same | (Invitation.expires_at <= at)))
    token = tokens.make_token()
    session.add(
        Invitation(
            token_digest=tokens.digest(token),
            role=role,
            email=email,
            created_at=at,
            expires_at=at + hours * MICROS_PER_HOUR,
        )
    )
    session.flush()
    return token


def anybody(session: Session) -> bool:
    """Whether there is any account yet."""
    return session.scalar(select(User.id).limit(1)) is not None


def users(session: Session) -> list[User]:
    """Everybody who may sign in, by name or e-mail."""
    return sorted(session.scalars(select(User)), key=lambda user: (user.name or user.email).lower())


def find(session: Session, user_id: int) -> User:
    """The account with this id.

    Raises:
        NoSuchUser: there is none.
    """
    user = session.get(User, user_id)
    if user is None:
        raise NoSuchUser("This account was removed. Nothing was changed.")
    return user


def by_email(session: Session, email: str) -> User:
    """The account with this e-mail address, in any spelling.

    Raises:
        NoSuchUser: there is none.
    """
    user = session.scalar(select(User).where(User.email == normal_email(email)))
    if user is None:
        raise NoSuchUser(f"There is no account with the e-mail address {normal_email(email)}.")
    return user


def create(session: Session, email: str, name: str, role: str, password_hash: str) -> User:
    """Add an account in the transaction that is under way; links for its address end.

    Raises:
        EmailTaken: there is an account with this address; the transaction was rolled back.
    """
    if role not in ROLES:
        raise ValueError(role)
    user = User(
        email=normal_email(email),
        name=name.strip(),
        role=role,
        password_hash=password_hash,
        created_at=now(),
    )
    try:
        session.add(user)
        session.flush()
    except IntegrityError:
        session.rollback()
        raise EmailTaken(f"{normal_email(email)} already has an account. Nothing was changed.") from None
    session.execute(delete(Invitation).where(Invitation.email == user.email))
    if role == "administrator":
        session.execute(delete(Invitation).where(Invitation.email.is_(None)))
    return user


def add(session: Session, email: str, role: str, password_hash: str, by: int | None = None) -> User:
    """Add an account with a password, without a link.

    Args:
        session: committed here.
        email: in any spelling; kept in lower case.
        role: one of `ROLES`.
        password_hash: of `passwords.hashed`.
        by: the id of the administrator who asks; None for the command line.

    Raises:
        EmailTaken: there is an account with this address.
    """
    user = create(session, email, "", role, password_hash)
    audit.record(session, "user.added", user_id=by, email=user.email, role=role)
    session.commit()
    return user


def change_role(
    session: Session, user_id: int, role: str, by: int | None = None, keep: int | None = None
) -> User:
    """Give an account another role; pages it has open elsewhere show too much or too little, so they end.

    Args:
        session: committed here.
        user_id: of the account.
        role: one of `ROLES`.
        by: the id of the administrator who asks; None for the command line.
        keep: the id of a session that goes on, when they change their own.

    Raises:
        LastAdministrator: nobody could manage this installation afterwards.
        NoSuchUser: the account is gone.
    """
    if role not in ROLES:
        raise ValueError(role)
    administrators = lock_administrators(session)
    user = find(session, user_id)
    if user.role == role:
        return user
    if administrators == [user.id]:
        raise LastAdministrator(
            f"{user.email} is the only administrator, so their role was not changed. "
            "Make somebody else an administrator first."
        )
    user.role = role
    session.execute(update(Invitation).where(Invitation.email == user.email).values(role=role))
    end_sessions(session, user.id, keep)
    audit.record(session, "user.role_changed", user_id=by, email=user.email, role=role)
    session.commit()
    return user


def remove(session: Session, user_id: int, by: int | None = None) -> str:
    """Remove an account, with its sessions and links.

    Returns:
        Its e-mail address.

    Raises:
        LastAdministrator: nobody could manage this installation afterwards.
        NoSuchUser: it is gone already.
    """
    administrators = lock_administrators(session)
    user = find(session, user_id)
    email = user.email
    if administrators == [user.id]:
        raise LastAdministrator(
            f"{email} is the only administrator and was not removed. "
            "Make somebody else an administrator first."
        )
    audit.record(session, "user.removed", user_id=by, email=email)
    session.execute(delete(Invitation).where(Invitation.email == email))
    end_sessions(session, user.id)
    session.execute(delete(User).where(User.id == user.id))
    session.commit()
    return email


def rename(session: Session, user_id: int, name: str) -> None:
    """Change the name that others see."""
    user = find(session, user_id)
    if user.name != name.strip():
        user.name = name.strip()
        audit.record(session, "user.renamed", user_id=user_id)
    session.commit()


def change_password(session: Session, user_id: int, password_hash: str, keep: int | None = None) -> None:
    """Set a new password; the account's other sessions, and links that would set another, end.

    Args:
        session: committed here.
        user_id: of the account.
        password_hash: of `passwords.hashed`.
        keep: the id of the session that goes on.
    """
    user = find(session, user_id)
    user.password_hash = password_hash
    session.execute(delete(Invitation).where(Invitation.email == user.email))
    end_sessions(session, user.id, keep)
    audit.record(session, "user.password_changed", user_id=user_id)
    session.commit()


def end_sessions(session: Session, user_id: int, keep: int | None = None) -> None:
    """End an account's sessions in the transaction that is under way, but for one."""
    session.execute(delete(Login).where(Login.user_id == user_id, Login.id != (keep or 0)))


def has_administrator(session: Session) -> bool:
    """Whether anybody can manage this installation."""
    return session.scalar(select(User.id).where(User.role == "administrator").limit(1)) is not None


def lock_administrators(session: Session) -> list[int]:
    """Their ids, locked until the transaction ends: two who demote each other must take turns."""
    return list(session.scalars(select(User.id).where(User.role == "administrator").with_for_update()))
