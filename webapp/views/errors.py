"""Errors as pages, or as JSON where the API was called: what happened, what was kept, what to do."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from flask import Flask, current_app, g, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable

from webapp.database import is_away
from webapp.extensions import db, limiter
from webapp.views.api import answers
from webapp.views.filters import duration

PAGES = frozenset({400, 403, 404, 405, 413, 422, 429, 500, 503})
RETRY_AFTER = 5  # seconds after which a database that was busy is worth another try
STALE_FORM = (
    "Nothing was changed. This form stood open while somebody signed in or out in this browser, or the "
    "browser keeps no cookies. Go back, reload the page and send the form again."
)


def register(app: Flask) -> None:
    """Answer every error with a page."""
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(CSRFError, stale_form)
    app.register_error_handler(RateLimitExceeded, too_often)
    app.register_error_handler(DBAPIError, database_away)
    app.register_error_handler(NoConnection, database_away)
    app.log_exception = _log  # type: ignore[method-assign]


def http_error(error: HTTPException) -> ResponseReturnValue:
    """The page of any error; one without a page of its own gets that of its kind."""
    if error.code is None or error.code < 400:  # redirects of the routing are HTTP exceptions too
        return error.get_response()
    page = error.code if error.code in PAGES else (400 if error.code < 500 else 500)
    headers = {k: v for k, v in error.get_headers() if k.lower() in ("allow", "retry-after")}
    return _page(page, error.code, headers=headers)


def stale_form(_error: CSRFError) -> ResponseReturnValue:
    """The form's token is not that of this browser's session."""
    return _page(400, 400, STALE_FORM)


def too_often(_error: RateLimitExceeded) -> ResponseReturnValue:
    """The limit of sign-ins is reached; says when the next try counts."""
    limit = limiter.current_limit
    seconds = max(1, int(limit.reset_at - time.time()) + 1) if limit else 60
    message = f"The next try counts in {duration(seconds)}. Before that, even the right password is refused."
    return _page(429, 429, message, {"Retry-After": str(seconds)})


def database_away(error: DBAPIError | NoConnection) -> ResponseReturnValue:
    """The database is away or busy. A statement that it does not understand is our own fault, and a 500."""
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # none where the trouble is not SQLite's own
    if code == sqlite3.SQLITE_ERROR or not is_away(error):
        raise InternalServerError(original_exception=error) from error
    db.session.rollback()
    return _page(503, ServiceUnavailable.code, headers={"Retry-After": str(RETRY_AFTER)})


def _log(exc_info: Any) -> None:
    # The view is named, not the address: that may hold a one-time link.
    error = getattr(exc_info[1], "original_exception", None) or exc_info[1]
    current_app.logger.error("%s of %s failed", request.method, request.endpoint, exc_info=error)


def _page(
    page: int, status: int, message: str | None = None, headers: dict[str, str] | None = None
) -> ResponseReturnValue:
    if answers.of_the_api():
        return answers.refusal(answers.ApiError(status, message, headers=headers))
    # Error pages show nobody's name, so that they need no database.
    g.setdefault("signed_in", None)
    response = make_response(render_template(f"errors/{page}.html", message=message), status)
    response.headers.update(headers or {})
    if message and request.headers.get("HX-Request"):
        response.headers["HX-Trigger"] = json.dumps({"toast": {"text": message, "kind": "error"}})
    return response
