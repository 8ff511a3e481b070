"""The API under `/v1`: JSON in, JSON out, and a key instead of a session. It speaks as ChartMogul's does."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

from webapp.extensions import csrf
from webapp.views.api import gate
from webapp.views.api.routing import bp

# Modules whose views belong to the API, in the order in which its description lists them.
ROOMS: tuple[str, ...] = (
    "webapp.views.api.account",
    "webapp.views.api.data_sources",
    "webapp.views.api.customers",
    "webapp.views.api.merges",
    "webapp.views.api.attributes",
    "webapp.views.api.contacts",
    "webapp.views.api.plans",
    "webapp.views.api.subscriptions",
    "webapp.views.api.description",
)

gate.guard(bp)
for _room in ROOMS:
    import_module(_room)


def register(app: Flask) -> None:
    """Open the API."""
    gate.open_to(app)
    csrf.exempt(bp)  # a key is no cookie: no other site's page can make a browser send it
    app.register_blueprint(bp)
