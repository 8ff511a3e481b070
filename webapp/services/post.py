"""One connection over which events are posted, and how Segment takes each answer."""

from __future__ import annotations

import http.client
import ssl
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

AGENT = "Segment (Actions)"
FOLLOWED = frozenset({301, 302, 303})
_MOST_HOPS = 5
_MOST_ANSWER = 64 * 1024  # bytes of an answer that are read; a longer one costs the connection


class BadAddress(ValueError):
    """Nothing can be sent to this address; the text says why, without the address, which is a secret."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to post.

    Attributes:
        scheme: `http` or `https`.
        host: the name or number of the host.
        port: its port.
        target: path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take a URL apart.

        Raises:
            BadAddress: it is no http or https URL.
        """
        try:
            parts = urlsplit(url.strip())
            port = parts.port or (443 if parts.scheme == "https" else 80)
            host = (parts.hostname or "").encode("idna").decode()
        except ValueError:
            raise BadAddress("That is not a URL.") from None
        if parts.scheme not in ("http", "https") or not host:
            raise BadAddress("The URL must begin with http:// or https:// and name a host.")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if not target.isascii() or any(character.isspace() for character in target):
            raise BadAddress("The URL has blanks or characters that must be percent-encoded.")
        return cls(parts.scheme, host, port, target)

    @property
    def url(self) -> str:
        """The whole URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.target}"


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request ended.

    Attributes:
        status: of the answer, or of the last one after redirects; None when none came.
        reason: why it was not accepted, for the report.
        retry_after: seconds that the receiver asked to be left alone.
        redirected: the answer is to a GET that a redirect led to, so no event arrived, whatever it says.
    """

    status: int | None
    reason: str
    retry_after: float | None = None
    redirected: bool = False


class Poster:
    """Keeps a connection open and posts over it; one thread uses it."""

    def __init__(self, address: Address, timeout: float, gzip: bool = False) -> None:
        """Args:
        address: where to.
        timeout: seconds in which a request is answered, or counts as failed.
        gzip: whether the bodies are compressed.
        """
        self._address = address
        self._timeout = timeout
        self._connection: http.client.HTTPConnection | None = None
        self._headers = {"Content-Type": "application/json", "User-Agent": AGENT}
        if gzip:
            self._headers["Content-Encoding"] = "gzip"

    def post(self, body: bytes) -> Answer:
        """Make one request; whatever happens is an answer."""
        try:
            return self._posted(body)
        except TimeoutError:
            self.close()
            return Answer(None, "timeout")
        except ssl.SSLError as error:
            self.close()
            return Answer(None, f"TLS ({(error.reason or 'error').replace('_', ' ').lower()})")
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Answer(None, _in_words(error))

    def close(self) -> None:
        """End the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _posted(self, body: bytes) -> Answer:
        is_old = self._connection is not None
        try:
            status, headers = self._ask(body)
        except (ConnectionError, http.client.RemoteDisconnected):
            # A receiver may close an idle connection at any time; that says nothing about this request.
            if not is_old:
                raise
            self.close()
            status, headers = self._ask(body)
        if status in FOLLOWED:
            return self._follow(status, headers.get("Location"))
        return Answer(status, f"status {status}", _seconds(headers.get("Retry-After")))

    def _ask(self, body: bytes) -> tuple[int, http.client.HTTPMessage]:
        end = time.monotonic() + self._timeout
        connection = self._connection
        if connection is None:
            connection = self._connection = _open(self._address, self._timeout)
        elif connection.sock is not None:
            connection.sock.settimeout(self._timeout)
        connection.request("POST", self._address.target, body, self._headers)
        return self._read(connection, end)

    def _read(
        self, connection: http.client.HTTPConnection, end: float
    ) -> tuple[int, http.client.HTTPMessage]:
        response = connection.getresponse()
        if connection.sock is not None:
            connection.sock.settimeout(max(0.001, end - time.monotonic()))
        response.read(_MOST_ANSWER)
        if not response.isclosed() or response.will_close:
            self.close()
        return response.status, response.headers

    def _follow(self, first: int, location: str | None) -> Answer:
        """What Segment does with these redirects: a GET to where they point, and the event is gone."""
        reason = f"status {first}, a redirect: Segment follows it with a GET, and the event is lost"
        url = self._address.url
        for _ in range(_MOST_HOPS):
            try:
                address = Address.parse(urljoin(url, location or ""))
            except BadAddress:
                break
            connection = _open(address, self._timeout)
            try:
                connection.request("GET", address.target, headers={"User-Agent": AGENT})
                response = connection.getresponse()
                location, url = response.headers.get("Location"), address.url
                if response.status not in FOLLOWED:
                    after = _seconds(response.headers.get("Retry-After"))
                    return Answer(response.status, reason, after, redirected=True)
            finally:
                connection.close()
        return Answer(first, reason, redirected=True)


def _open(address: Address, timeout: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    return kind(address.host, address.port, timeout=timeout)


def _in_words(error: Exception) -> str:
    if isinstance(error, http.client.HTTPException) and not isinstance(error, ConnectionError):
        return "an answer that is not HTTP"
    return f"no connection ({(getattr(error, 'strerror', None) or 'closed by the receiver').lower()})"


def _seconds(text: str | None) -> float | None:
    """What `Retry-After` says, a number of seconds or a date; None when it says nothing readable."""
    if not text:
        return None
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), 1e9)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None
