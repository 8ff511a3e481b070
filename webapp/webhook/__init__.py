"""The webhook, put in front of an application."""

from __future__ import annotations

from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, cast

from flask import Flask

from jobs.queue import Ringer, bell
from webapp.config import Settings
from webapp.database import make_engine
from webapp.services.ingest import Writer, impatient
from webapp.webhook.app import Webhook
from webapp.webhook.threads import Threads
from webapp.webhook.tokens import Tokens

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def mount(app: Flask, threads: Threads | None = None) -> Webhook:
    """Put the webhook in front of Flask, whose routing, sessions and limits it never enters.

    `app` stays one object that serves both: Flask calls its own `wsgi_app`, which is the webhook from now on.

    Args:
        app: of `create_app`.
        threads: those of a server, which are gathered while they store calls.
    """
    settings: Settings = app.extensions["settings"]
    engine = impatient(make_engine(settings))
    writer = Writer(engine, Ringer(bell(settings.redis_url)))
    # Granian's serving process ends as those of `multiprocessing` do, which run no functions of `atexit`.
    Finalize(None, writer.close, exitpriority=10)
    tokens = Tokens(engine, max(1, settings.web_threads // 4))
    webhook = Webhook(cast("WSGIApplication", app.wsgi_app), settings, writer, tokens, threads)
    app.wsgi_app = webhook  # type: ignore[method-assign]
    return webhook
