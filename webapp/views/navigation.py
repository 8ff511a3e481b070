"""The navigation on the left, and where the start page leads."""

from __future__ import annotations

from flask import Flask, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from webapp.security import current_user, viewer_may

SETTINGS = "Settings & Data"
# (endpoint, label, icon, group, for administrators only)
ENTRIES = (
    ("customers.index", "Customers", "building-2", "", False),
    ("contacts.index", "Contacts", "contact", "", False),
    ("leads.index", "Leads", "target", "", False),
    ("sources.index", "Sources", "plug", SETTINGS, False),
    ("automations.index", "Automations", "workflow", SETTINGS, False),
    ("attributes.index", "Custom attributes", "sliders-horizontal", SETTINGS, False),
    ("api_keys.index", "API keys", "key-round", SETTINGS, True),
    ("users.index", "Users", "user-cog", SETTINGS, True),
    ("audit.index", "Audit log", "scroll-text", SETTINGS, True),
)


def entries() -> list[dict[str, object]]:
    """What the person who is signed in can go to: `{label, href, icon, active, group}` each."""
    if not current_user:
        return []
    found = []
    for endpoint, label, icon, group, restricted in ENTRIES:
        if endpoint not in current_app.view_functions or (restricted and not current_user.is_administrator):
            continue
        href = url_for(endpoint)
        active = request.path == href or request.path.startswith(href.rstrip("/") + "/")
        found.append({"label": label, "href": href, "icon": icon, "active": active, "group": group})
    return found


@viewer_may
def home() -> ResponseReturnValue:
    """Lead on to the first page of the navigation."""
    first = next(iter(entries()), None)
    if first is None:
        abort(404)
    return redirect(str(first["href"]))


def register(app: Flask) -> None:
    """Give the templates `nav`, and the application its start page."""
    app.add_url_rule("/", "home", home)
    app.context_processor(lambda: {"nav": entries()})
