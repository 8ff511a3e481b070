"""Whether calls to a source's webhook URL have to be signed, and the secret that both sides sign with."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.models import Source
from webapp.services import audit, tokens
from webapp.services.sources import Refused, hold
from webapp.services.transactions import write

SHORTEST, LONGEST = 8, 255


def ask(session: Session, settings: Settings, source: Source, secret: str, by: int | None = None) -> None:
    """Take calls to the webhook URL only with a signature from now on.

    Args:
        session: of the caller.
        settings: hold the key that seals the secret.
        source: whose calls they are.
        secret: what Segment's Webhooks destination signs with, as typed; blanks around it are taken off.
        by: the id of the user who asks; None for the command line.

    Raises:
        Refused: the secret is too short, too long or unreadable.
    """
    secret = secret.strip()
    if not SHORTEST <= len(secret) <= LONGEST:
        raise Refused("secret", f"A shared secret has {SHORTEST} to {LONGEST} characters.")
    if not secret.isprintable():
        raise Refused("secret", "This secret has characters that cannot be shown. Type it again.")
    _set(session, source, tokens.seal(settings.secret_key, secret), by)


def stop(session: Session, source: Source, by: int | None = None) -> None:
    """Take calls without a signature again, and forget the secret."""
    _set(session, source, None, by)


def _set(session: Session, source: Source, sealed: bytes | None, by: int | None) -> None:
    with write(session):
        hold(session, source)
        source.signing_sealed = sealed
        action = "source.signatures_unasked" if sealed is None else "source.signatures_asked"
        audit.record(session, action, by, source.uuid, name=source.name)
