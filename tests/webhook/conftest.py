"""A webhook with one source, spoken to as a web server would."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from tests import factories
from webapp.config import Settings
from webapp.database import begin, make_engine
from webapp.models import Event, Rejection, Source, Tally, WebhookUrl, now
from webapp.services import projection, tokens
from webapp.services.ingest import Writer, impatient
from webapp.webhook.app import Webhook
from webapp.webhook.tokens import Tokens


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The reason of an answer that turns a call away, whose shape is checked on the way."""
        [error] = self.json["errors"]
        assert self.json.keys() == {"errors"}
        assert error.keys() == {"field", "message"}
        assert error["field"] is None
        return str(error["message"])


@dataclass
class Line:
    """A webhook, its source, and what came in.

    Attributes:
        engine: of the test, beside the webhook's own.
        token: of the source's live URL.
        rung: ids of the sources that were rung for.
    """

    engine: Engine
    settings: Settings
    webhook: Webhook
    writer: Writer
    source_id: int
    token: str
    rung: list[int] = field(default_factory=list)

    def post(self, body: bytes | str | object = b"", token: str | None = None, **environ: Any) -> Reply:
        """POST a body to the source's URL, or to that of another token."""
        return self.call("POST", f"/webhooks/segment/{token or self.token}", body, **environ)

    def call(self, method: str, path: str, body: bytes | str | object = b"", **environ: Any) -> Reply:
        """Call a path; `environ` overrides what the server says, None takes it away."""
        if not isinstance(body, bytes):
            body = (body if isinstance(body, str) else json.dumps(body)).encode()
        request = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            **environ,
        }
        seen: list[Any] = []
        said = self.webhook(
            {key: value for key, value in request.items() if value is not None},
            lambda status, headers, exc_info=None: seen.extend((status, headers)),
        )
        return Reply(int(seen[0][:3]), dict(seen[1]), b"".join(said))

    def bodies(self) -> list[bytes]:
        """What is stored, in its order."""
        with self.engine.connect() as connection:
            wanted = select(Event.body).where(Event.source_id == self.source_id).order_by(Event.id)
            return list(connection.scalars(wanted))

    def drain(self) -> projection.Drained:
        """Fold what waits, as a worker would."""
        return projection.drain(self.engine, self.source_id, settings=self.settings)

    def tally(self) -> tuple[int, int]:
        """Events received, and duplicates among them, counted over all hours and writers."""
        with self.engine.connect() as connection:
            summed = select(func.sum(Tally.received), func.sum(Tally.duplicates))
            received, duplicates = connection.execute(summed).one()
            return int(received or 0), int(duplicates or 0)

    def rejections(self) -> dict[tuple[int, str], int]:
        """Calls turned away, by status and reason."""
        with self.engine.connect() as connection:
            wanted = select(Rejection.status, Rejection.reason, Rejection.count)
            rows = connection.execute(wanted.where(Rejection.source_id == self.source_id)).all()
            return {(status, reason): count for status, reason, count in rows}

    def source(self) -> Any:
        """The source's row."""
        with self.engine.connect() as connection:
            return connection.execute(select(Source.__table__).where(Source.id == self.source_id)).one()

    def url(self, token: str | None = None) -> Any:
        """The row of a URL."""
        with self.engine.connect() as connection:
            digest = tokens.digest(token or self.token)
            return connection.execute(
                select(WebhookUrl.__table__).where(WebhookUrl.token_digest == digest)
            ).one()

    def set(self, **columns: Any) -> None:
        """Change the source."""
        with begin(self.engine) as connection:
            connection.execute(update(Source).where(Source.id == self.source_id).values(**columns))

    def replace(self, grace: int = 0) -> str:
        """Replace the URL, with so many seconds of grace; the new token."""
        with begin(self.engine) as connection:
            old = update(WebhookUrl).where(WebhookUrl.token_digest == tokens.digest(self.token))
            connection.execute(old.values(replaced_at=now(), ends_at=now() + grace * 1_000_000))
            return add_url(connection, self.source_id)


def add_url(connection: Any, source_id: int, kind: str = "url") -> str:
    """Give a source a URL, or a write key; its token."""
    token = tokens.make_token()
    digest = tokens.digest(token) if kind == "url" else tokens.key_digest(token)
    factories.make(
        connection, WebhookUrl, source_id=source_id, kind=kind, token_digest=digest, created_at=now()
    )
    return token


def behind(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The application that stands behind the webhook."""
    start_response("418 I'm a teapot", [])
    return [b"behind"]


@pytest.fixture
def line(settings: Settings, engine: Engine) -> Iterator[Line]:
    """A webhook with one source."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        token = add_url(connection, source_id)
    own = impatient(make_engine(settings))
    rung: list[int] = []
    writer = Writer(own, rung.extend)
    webhook = Webhook(behind, settings, writer, Tokens(own))
    yield Line(engine, settings, webhook, writer, source_id, token, rung)
    writer.close()
    own.dispose()


def eventually(check: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether something comes true soon."""
    end, pause = time.monotonic() + seconds, 0.01
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(pause)
        pause = min(pause * 1.2, 0.1)  # who looks takes time from those that are waited for
    return check()


def at_once(*acts: Callable[[], Any]) -> None:
    """Do several things at the same time, and wait for all."""
    threads = [threading.Thread(target=act) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
