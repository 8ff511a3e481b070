"""The frame of a source's page, which every tab of it stands in, and the source that an address speaks of."""

from __future__ import annotations

from typing import Any

from flask import abort, url_for

from webapp.extensions import db
from webapp.models import Source
from webapp.services import source_summary, sources

TABS = (("customers", "Customers"), ("contacts", "Contacts"), ("events", "Events"), ("settings", "Settings"))


def source_or_404(source_id: str) -> Source:
    """The source of an address (`ds_<uuid>`); one that is being deleted is not there any more."""
    source = sources.find(db.session(), source_id)
    if source is None:
        abort(404)
    return source


def frame(source: Source, tab: str) -> dict[str, Any]:
    """What `sources/source.html` shows around a tab.

    Args:
        source: whose page it is.
        tab: `customers`, `contacts`, `events` or `settings`; another word selects none.

    Returns:
        `source`, `summary` (`source_summary.Summary`), `tab` and `source_tabs` for the template.
    """
    summary = source_summary.of(db.session(), source)
    return {"source": source, "summary": summary, "tab": tab, "source_tabs": source_tabs(summary, tab)}


def source_tabs(summary: source_summary.Summary, tab: str) -> list[dict[str, Any]]:
    """The tabs of a source's page, with their counts."""
    counts = {"customers": summary.customers, "contacts": summary.contacts}
    home = url_for("sources.show", source_id=summary.source.public_id)
    return [
        {
            "id": f"tab-{name}",
            "label": label,
            "href": f"{home}/{name}",
            "active": name == tab,
            "count": counts.get(name),
        }
        for name, label in TABS
    ]
