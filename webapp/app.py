"""The Flask application: settings in, a dashboard out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from flask import Flask

from webapp import models  # noqa: F401  (every table is known once this is imported)
from webapp.config import Settings
from webapp.database import engine_options
from webapp.extensions import csrf, db, limiter, migrate
from webapp.routes import Route

ROOT = Path(__file__).resolve().parent.parent

# Rooms with a `register(app)`, in the order in which they are entered.
ROOMS: tuple[str, ...] = (
    "webapp.views.filters",
    "webapp.security",
    "webapp.views.errors",
    "webapp.views.navigation",
    "webapp.views.accounts",
    "webapp.views.users",
    "webapp.views.api_keys",
    "webapp.views.audit",
    "webapp.views.operations",
    "webapp.views.sources",
    "webapp.views.billing_sources",
    "webapp.views.new_sources",
    "webapp.views.webhook_urls",
    "webapp.views.signatures",
    "webapp.views.rehearsals",
    "webapp.views.syncs",
    "webapp.views.previews",
    "webapp.views.mappings",
    "webapp.views.retention",
    "webapp.views.imports",
    "webapp.views.deletions",
    "webapp.views.exports",
    "webapp.views.customers",
    "webapp.views.leads",
    "webapp.views.many_leads",
    "webapp.views.hand",
    "webapp.views.merges",
    "webapp.views.subscriptions",
    "webapp.views.saved_views",
    "webapp.views.contacts",
    "webapp.views.events",
    "webapp.views.waiting",
    "webapp.views.attributes",
    "webapp.views.billing_files",
    "webapp.views.automations",
    "webapp.views.matches",
    "webapp.views.api",
    "webapp.cli.users",
    "webapp.cli.sources",
    "webapp.cli.imports",
    "webapp.cli.mappings",
    "webapp.cli.drain",
    "webapp.cli.mend",
    "webapp.cli.events",
    "webapp.cli.demo",
    "webapp.cli.doctor",
)


class Dashboard(Flask):
    """A Flask whose routes are quick to add."""

    url_rule_class = Route


def create_app(settings: Settings | None = None, rooms: Sequence[str] = ROOMS) -> Flask:
    """Build the application.

    Args:
        settings: of this installation; read from the environment unless given.
        rooms: none for work on the database alone, which then begins sooner.
    """
    settings = settings or Settings.from_env()
    app = Dashboard("webapp", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.update(
        RATELIMIT_STORAGE_URI="memory://",  # of each web server by itself: pages need no queue
        RATELIMIT_STRATEGY="moving-window",
        SECRET_KEY=settings.secret_key or os.urandom(32).hex(),
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings, mapped=True),
        TESTING=settings.testing,
    )
    app.extensions["settings"] = settings
    for extension in (db, csrf, limiter):
        extension.init_app(app)
    migrate.init_app(app, db, directory=str(ROOT / "webapp" / "migrations"), render_as_batch=True)
    for room in rooms:
        import_module(room).register(app)
    return app
