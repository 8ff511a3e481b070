"""Leads: the customers without a subscription, as a table of their own, by status."""

from __future__ import annotations

from flask import Blueprint, Flask

from webapp.services.tables import LEADS
from webapp.views import table_routes

bp = Blueprint("leads", __name__)
table_routes.add(bp, LEADS, of_sources=False)


def register(app: Flask) -> None:
    """Open this room."""
    app.register_blueprint(bp)
