"""The frame around every page: who may see it, and what the browser may do with it.

Deny by default. A view that says nothing is for administrators. `@public` opens it to everybody,
`@viewer_may` lets viewers read it, `@viewer_may_change` lets them send its form too. Views of the API say
which keys open them (`views/api/gate.py`); no session does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import structlog
from flask import Flask, Request, Response, abort, current_app, g, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from sqlalchemy.exc import OperationalError
from werkzeug.local import LocalProxy
from werkzeug.middleware.proxy_fix import ProxyFix

from webapp.config import Settings
from webapp.database import writing
from webapp.extensions import db
from webapp.models.base import now
from webapp.services import logins
from webapp.services.logins import SignedIn

View = TypeVar("View", bound=Callable[..., Any])

COOKIE = "tributary_session"
FORM_COOKIE = "tributary_form"
KEY_READS, KEY_WRITES = "key reads", "key writes"
"""Access of the API's views: with any key, or with one that may write."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HTMX_URL = "https://cdn.jsdelivr.net/npm/htmx.org@2.0.11/dist/htmx.min.js"
LARGEST_FORM = 1024 * 1024
GREATEST_ID = 2**63 - 1
MICROS_PER_MINUTE = 60 * 1_000_000
DAY = 86_400

log = structlog.get_logger(__name__)


def public(view: View) -> View:
    """Let everybody in, signed in or not."""
    return _marked(view, "public")


def viewer_may(view: View) -> View:
    """Let viewers read this; sending something stays with administrators."""
    return _marked(view, "read")


def viewer_may_change(view: View) -> View:
    """Let viewers read this and send its form: it is their own, such as their password."""
    return _marked(view, "change")


def _marked(view: View, access: str) -> View:
    view.access = access  # type: ignore[attr-defined]
    return view


def confirm_required(minutes: int = 10) -> Callable[[View], View]:
    """Ask for the password again, where it was last typed longer ago than this, before the view runs."""

    def decorate(view: View) -> View:
        @wraps(view)
        def asked(*args: Any, **kwargs: Any) -> Any:
            if now() - signed_in().confirmed_at <= minutes * MICROS_PER_MINUTE:
                return view(*args, **kwargs)
            # A form that was sent is not repeated: its page is shown again, and it is sent anew.
            came_from = request.full_path if request.method in SAFE_METHODS else _referring_path()
            return go_to(url_for("accounts.confirm", next=local_path(came_from)))

        return cast(View, asked)

    return decorate


def signed_in() -> SignedIn:
    """Who this request comes from, in a view that only people who are signed in reach."""
    who = _who()
    if who is None:
        abort(401)
    return who


def _who() -> SignedIn | None:
    if "signed_in" not in g:
        token = request.cookies.get(COOKIE)
        g.signed_in = logins.find(db.engine, token, _settings().session_days) if token else None
    return cast("SignedIn | None", g.signed_in)


current_user = cast(SignedIn, LocalProxy(_who))
"""Who this request comes from; falsy for nobody."""


def public_base() -> str:
    """What comes before the path of an address that leaves this page, without a slash at the end.

    `PUBLIC_URL`; where none is configured, what the browser asked for.
    """
    return _settings().public_url or request.host_url.rstrip("/")


def local_path(target: str | None) -> str:
    """A path of this application to go on to; `/` for anything that could lead elsewhere."""
    text = (target or "").rstrip("?")
    bad = any(c in text for c in "\\\r\n\t\0") or any(ord(c) < 32 for c in text)
    if bad or not text.startswith("/") or text.startswith("//"):
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text


def go_to(path: str) -> Response:
    """A redirect that a page and a part of a page (htmx) both follow as a whole page."""
    if request.headers.get("HX-Request"):
        return Response(status=204, headers={"HX-Redirect": path})
    return cast(Response, redirect(path, 303))


def set_session_cookie(response: Response, token: str) -> None:
    """Hand the browser its session, for as long as the session lives without being used."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=_settings().session_days * DAY,
        httponly=True,
        samesite="Lax",
        secure=behind_https(request),
    )


def forget_session(response: Response) -> None:
    """Take the session's cookie and the form's away."""
    session.clear()
    response.delete_cookie(COOKIE, httponly=True, samesite="Lax", secure=behind_https(request))


def behind_https(asked: Request) -> bool:
    """Whether the browser came by https, as the connection, a trusted proxy or PUBLIC_URL tells."""
    base = urlsplit(_settings().public_url or "")
    return asked.is_secure or (base.scheme == "https" and base.netloc == asked.host)


def register(app: Flask) -> None:
    """Put the frame around every page of the application."""
    settings: Settings = app.extensions["settings"]
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_FORM,
        SESSION_COOKIE_NAME=FORM_COOKIE,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,  # a form is good for as long as the session it belongs to
    )
    app.session_interface = _FormCookie()
    app.before_request(_guard)
    app.after_request(_renew_cookie)
    policy = content_security_policy(settings)
    app.after_request(lambda response: _headers(response, policy))
    app.context_processor(lambda: {"current_user": _who() if request else None})
    app.wsgi_app = _LockedForWriting(app.wsgi_app)  # type: ignore[method-assign]
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]


class _FormCookie(SecureCookieSessionInterface):
    """Flask's signed cookie: the forms' token and messages for the next page, and nobody's session."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return behind_https(request)


class _LockedForWriting:
    """Requests that change something take SQLite's write lock when their transactions begin."""

    def __init__(self, inner: Callable[..., Iterable[bytes]]) -> None:
        self.inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in SAFE_METHODS:
            return self.inner(environ, start_response)
        with writing():
            return self.inner(environ, start_response)


def _guard() -> Response | None:
    """Decide before the view whether this person may come in."""
    g.pop("signed_in", None)
    endpoint = request.endpoint
    if endpoint is None or endpoint == "static":  # no such address or method, which the error pages say
        return None
    access = getattr(current_app.view_functions[endpoint], "access", "administrator")
    if access in (KEY_READS, KEY_WRITES):  # the API's gate asks for the key
        return None
    if not all(_may_be_an_id(value) for value in (request.view_args or {}).values()):
        abort(404)
    if access == "public":
        if request.method not in SAFE_METHODS:
            _who()  # once the view holds SQLite's lock, a page that asks who is there waits for it in vain
        return None
    who = _who()
    if who is None:
        return _to_sign_in()
    safe = request.method in SAFE_METHODS
    if who.stale and safe:
        _prolong(who)
    if not (who.is_administrator or access == "change" or (access == "read" and safe)):
        abort(403)
    return None


def _may_be_an_id(value: str | int) -> bool:
    """Whether a row can have this in its place; otherwise a database refuses even to be asked for it."""
    return "\0" not in value if isinstance(value, str) else value <= GREATEST_ID


def _to_sign_in() -> Response:
    if request.headers.get("HX-Request"):
        shown = local_path(_path_of(request.headers.get("HX-Current-URL")))
        return Response(status=401, headers={"HX-Redirect": url_for("accounts.sign_in", next=shown)})
    came_from = request.full_path if request.method in SAFE_METHODS else _referring_path()
    wanted = local_path(came_from)
    return cast(Response, redirect(url_for("accounts.sign_in", next=None if wanted == "/" else wanted), 303))


def _referring_path() -> str:
    referrer = request.headers.get("Referer", "")
    return _path_of(referrer) if urlsplit(referrer).netloc == request.host else "/"


def _path_of(url: str | None) -> str:
    parts = urlsplit(url or "")
    return parts._replace(scheme="", netloc="", fragment="").geturl()


def _prolong(who: SignedIn) -> None:
    try:
        logins.touch(db.engine, who.login_id)
        g.renew = True
    except OperationalError:
        log.info("session_not_prolonged", reason="the database was busy; the next request tries again")


def _renew_cookie(response: Response) -> Response:
    if g.pop("renew", False):
        set_session_cookie(response, request.cookies[COOKIE])
    return response


def content_security_policy(settings: Settings) -> str:
    """What pages may load and do: nothing inline, nothing from elsewhere but the one script, no frames."""
    script = "'self'" if settings.assets == "local" else f"'self' {HTMX_URL}"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {script}",
            "style-src 'self'",
            "img-src 'self'",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _headers(response: Response, policy: str) -> Response:
    headers = response.headers
    headers["Content-Security-Policy"] = policy
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    if behind_https(request):  # the webhook needs no such word: what calls it is no browser
        headers["Strict-Transport-Security"] = f"max-age={30 * DAY}"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    if request.endpoint == "static" and response.status_code in (200, 304):
        # The address of a file holds a fingerprint of it, so another content has another address.
        if "v" in request.args:
            headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        headers["Cache-Control"] = "no-store"
        response.vary.add("HX-Request")
    return response


def _settings() -> Settings:
    return cast(Settings, current_app.extensions["settings"])
