"""The frame of a source's page, which every tab of it stands in, and the source that an address speaks of."""

from __future__ import annotations

from typing import Any

from flask import abort, current_app, request, url_for

from jobs.queue import bell
from webapp.config import Settings
from webapp.extensions import db
from webapp.models import Source, Sync, now
from webapp.models.source import KEY, POLICIES, URL
from webapp.security import current_user, public_base
from webapp.services import source_summary, sources, tokens

TABS = {
    "segment": ("customers", "contacts", "events", "mapping", "settings"),
    "billing": ("customers", "contacts", "plans", "subscriptions", "settings"),
}
# What a billing source has not: it has no webhook and no events.
_AT_THE_WEBHOOK = ("rehearsals", "signatures", "uploads", "waiting", "webhook_urls")
SEGMENT_ROOMS = frozenset((*_AT_THE_WEBHOOK, "events", "imports", "mappings", "retention", "syncs"))


def source_or_404(source_id: str) -> Source:
    """The source of an address (`ds_<uuid>`); one that is being deleted is not there any more."""
    source = sources.find(db.session(), source_id)
    if source is None or (source.kind == "billing" and request.blueprint in SEGMENT_ROOMS):
        abort(404)
    return source


def frame(source: Source, tab: str) -> dict[str, Any]:
    """What `sources/source.html` shows around a tab.

    Args:
        source: whose page it is.
        tab: one of its TABS; another word selects none.

    Returns:
        For the template: `source`, `summary` (`source_summary.Summary`), `tab`, `source_tabs`, `policies`
        (their labels by code) and `moment` (now, in microseconds).
    """
    summary = source_summary.of(db.session(), source)
    return {
        "source": source,
        "summary": summary,
        "tab": tab,
        "source_tabs": source_tabs(summary, tab),
        "policies": POLICIES,
        "moment": now(),
    }


def source_tabs(summary: source_summary.Summary, tab: str) -> list[dict[str, Any]]:
    """The tabs of a source's page, with their counts."""
    counts = {"customers": str(summary.customers), "contacts": str(summary.contacts)}
    home = url_for("sources.show", source_id=summary.source.public_id)
    return [
        {
            "id": f"tab-{name}",
            "label": name.capitalize(),
            "href": f"{home}/{name}",
            "active": name == tab,
            "count": counts.get(name),
        }
        for name in TABS[summary.source.kind]
    ]


def settings() -> Settings:
    """The settings of this installation."""
    found: Settings = current_app.extensions["settings"]
    return found


def webhook_url(token: str) -> str:
    """The URL that Segment posts to: on the public address, else on the one this page was asked for by."""
    return tokens.webhook_url(token, public_base())


def shown_url(source: Source) -> str | None:
    """A source's webhook URL, for administrators only; None for anybody else, and when its seal is broken."""
    token = _token(source, URL)
    return webhook_url(token) if token else None


def shown_key(source: Source) -> str | None:
    """A source's write key, for administrators only; None for anybody else, and when it cannot be shown."""
    return _token(source, KEY)


def shown_secret(source: Source) -> str | None:
    """The secret that signs a source's calls, for administrators only; None when its seal is broken."""
    if not current_user.is_administrator or source.signing_sealed is None:
        return None
    return tokens.unseal(settings().secret_key, source.signing_sealed)


def _token(source: Source, kind: str) -> str | None:
    url = sources.live_url(db.session(), source, kind)
    if not current_user.is_administrator or url is None or url.token_sealed is None:
        return None
    return tokens.unseal(settings().secret_key, url.token_sealed)


def is_part() -> bool:
    """Whether HTMX asks, for a part of the page, and not the browser for all of it."""
    return "HX-Request" in request.headers


def ring(source: Source) -> None:
    """Wake a worker for a source's events. A queue that is away breaks nothing: the sweeper finds them."""
    bell(settings().redis_url).ring(source.id)


def start(sync: Sync) -> None:
    """Have a worker take up long work. A queue that is away breaks nothing: the sweeper finds it."""
    bell(settings().redis_url).start(sync.id)
