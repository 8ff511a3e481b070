"""One-time links: each adds one account, or gives one account a new password.

A link with an e-mail address adds that person or, when they have an account, sets their new password. The
link without an address belongs to the very first administrator (`accounts.setup_token`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.models.account import Invitation, User
from webapp.models.base import now
from webapp.services import accounts, audit, tokens
from webapp.services.accounts import AccountError, EmailTaken

LINK_DAYS = 7


class LinkEnded(AccountError):
    """The one-time link was used, replaced, or is too old."""


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link that still works."""

    role: str
    email: str | None
    """None: the first administrator, who types their own."""
    resets: bool
    """Whether the person has an account and sets a new password."""


def address(settings: Settings, token: str, base: str | None = None) -> str:
    """The whole one-time link.

    Args:
        settings: `public_url` goes before anything else.
        token: of the link.
        base: the address by which a browser reached the server, without a slash at the end; on the command
            line, where there is none, the server's own address stands in for it.
    """
    if base is None:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        base = f"http://{host}:{settings.port}"
    return f"{settings.public_url or base}/setup/{token}"


def waiting(session: Session) -> list[Invitation]:
    """Links that wait for somebody new, newest first."""
    return list(
        session.scalars(
            select(Invitation)
            .where(Invitation.expires_at > now(), Invitation.email.is_not(None))
            .where(Invitation.email.not_in(select(User.email)))
            .order_by(Invitation.id.desc())
        )
    )


def invite(session: Session, email: str, role: str, by: int | None = None) -> str:
    """Make a link that adds somebody; an earlier link for the address ends.

    Returns:
        The token, good for seven days and one use. It is not kept and cannot be shown again.

    Raises:
        EmailTaken: there is an account with this address.
    """
    email = accounts.normal_email(email)
    if session.scalar(select(User.id).where(User.email == email)) is not None:
        raise EmailTaken(f"{email} already has an account.")
    token = accounts.new_link(session, email, role, LINK_DAYS * 24)
    audit.record(session, "user.invited", user_id=by, email=email, role=role)
    session.commit()
    return token


def reset_link(session: Session, user_id: int, by: int | None = None) -> str:
    """Make a link by which an account gets a new password; the present one works until then.

    Raises:
        NoSuchUser: the account is gone.
    """
    user = accounts.find(session, user_id)
    token = accounts.new_link(session, user.email, user.role, LINK_DAYS * 24)
    audit.record(session, "user.link_made", user_id=by, email=user.email)
    session.commit()
    return token


def withdraw(session: Session, invitation_id: int, by: int | None = None) -> str | None:
    """End a link before it was used; its e-mail address, or None when it had gone already."""
    invitation = session.get(Invitation, invitation_id)
    if invitation is None or invitation.email is None:
        return None
    email = invitation.email
    session.delete(invitation)
    audit.record(session, "user.link_withdrawn", user_id=by, email=email)
    session.commit()
    return email


def find(session: Session, token: str) -> Link:
    """What the link with this token is good for.

    Raises:
        LinkEnded: nothing any more.
    """
    found = session.scalar(
        select(Invitation).where(
            Invitation.token_digest == tokens.digest(token), Invitation.expires_at > now()
        )
    )
    if found is None or (found.email is None and accounts.has_administrator(session)):
        raise LinkEnded("This link has been used, was replaced by a newer one, or is too old.")
    known = found.email is not None and (
        session.scalar(select(User.id).where(User.email == found.email)) is not None
    )
    return Link(found.role, found.email, known)


def accept(session: Session, token: str, email: str, name: str, password_hash: str) -> int:
    """Use a link up: add the account it is for, or set the account's new password and end its sessions.

    Args:
        session: committed here.
        token: of the link.
        email: asked of the first administrator only; the link's own address goes before it.
        name: as typed; may be empty.
        password_hash: of `passwords.hashed`.

    Returns:
        The account's id.

    Raises:
        LinkEnded: it works no more, perhaps since this very instant.
        EmailTaken: the first administrator typed the address of an account that exists.
    """
    link = find(session, token)
    # Of two who use the link at once, one deletes the row and goes on.
    used = delete(Invitation).where(Invitation.token_digest == tokens.digest(token))
    if session.scalar(used.returning(Invitation.id)) is None:
        raise LinkEnded("This link has just been used.")
    if link.resets:
        user = accounts.by_email(session, link.email or "")
        user.password_hash = password_hash
        accounts.end_sessions(session, user.id)
        audit.record(session, "user.password_set", user_id=user.id)
    else:
        user = accounts.create(session, link.email or email, name, link.role, password_hash)
        audit.record(session, "user.joined" if link.email else "user.set_up", user_id=user.id, role=user.role)
    user_id = user.id
    session.commit()
    return user_id
