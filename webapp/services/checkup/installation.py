"""The machine's side: the data directory, the disk, the secret key, the public address."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import shutil
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from webapp.config import Settings
from webapp.services.checkup import OK, PROBLEM, WARNING, Finding

MEBIBYTE = 1024 * 1024
LEAST_FREE, LITTLE_FREE = 100 * MEBIBYTE, 1024 * MEBIBYTE
LEAST_KEY = 32  # characters
PATIENCE = 5.0  # seconds for an address to answer
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  to listen on; to visit


def data_directory(settings: Settings) -> Iterator[Finding]:
    """Whether it is there, can be written, and is closed to others."""
    path, check = settings.data_dir, "Data directory"
    if not path.is_dir():
        yield Finding(
            check, PROBLEM, f"{path} is not there.", "Start Tributary once (make run), or set DATA_DIR."
        )
        return
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            check, PROBLEM, f"{path} cannot be written by this user.", f"chown -R $(id -un) {path}, as root."
        )
        return
    if _open_to_others(path):
        yield Finding(check, WARNING, f"{path} is open to other users of this machine.", f"chmod 700 {path}")
    else:
        yield Finding(check, OK, f"{path}, for its owner alone.")


def disk_space(settings: Settings) -> Iterator[Finding]:
    """Whether the disk under the data directory is filling up."""
    if not settings.data_dir.is_dir():
        return
    usage = shutil.disk_usage(settings.data_dir)
    found = f"{usage.free / MEBIBYTE:,.0f} MiB free of {usage.total / MEBIBYTE:,.0f}."
    fix = "Make room, or set RETENTION_DAYS so that old events leave the inbox."
    if usage.free < LEAST_FREE:
        yield Finding("Disk", PROBLEM, f"{found} Events will soon be refused.", fix)
    elif usage.free < LITTLE_FREE:
        yield Finding("Disk", WARNING, found, fix)
    else:
        yield Finding("Disk", OK, found)


def secret_key(settings: Settings) -> Iterator[Finding]:
    """Whether there is one, long enough and readable by nobody else."""
    check, path = "Secret key", settings.data_dir / "secret_key"
    if not settings.secret_key:
        yield Finding(
            check,
            PROBLEM,
            "There is none, so everybody is signed out at each start and webhook URLs cannot be shown.",
            "Start Tributary once (python -m jobs.up --prepare makes one), or set SECRET_KEY.",
        )
        return
    if len(settings.secret_key) < LEAST_KEY:
        yield Finding(
            check,
            WARNING,
            f"It has {len(settings.secret_key)} characters, which can be guessed.",
            'python3 -c "import secrets; print(secrets.token_urlsafe(48))" makes a better one; '
            "webhook URLs then have to be regenerated.",
        )
    is_kept = path.exists() and path.read_text().strip() == settings.secret_key
    if is_kept and _open_to_others(path):
        yield Finding(check, PROBLEM, f"{path} can be read by other users.", f"chmod 600 {path}")
    elif len(settings.secret_key) >= LEAST_KEY:
        yield Finding(check, OK, f"Kept in {path}." if is_kept else "Given by SECRET_KEY.")


def web_server(settings: Settings) -> Iterator[Finding]:
    """Whether Tributary answers at the address it is to listen on."""
    host = _EVERYWHERE.get(settings.host, settings.host)
    url = f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"
    answer = ask(url)
    if answer == OK:
        yield Finding("Web server", OK, f"Answers at {url}.")
    else:
        yield Finding(
            "Web server",
            WARNING,
            f"No Tributary at {url}: {answer}. No events are taken there.",
            "Start it: make run (or set HOST and PORT as they are set for the server).",
        )


def public_url(settings: Settings) -> Iterator[Finding]:
    """Whether Segment could reach the webhook."""
    check, url = "PUBLIC_URL", settings.public_url
    if not url:
        status = OK if _is_loopback(settings.host) else WARNING
        fix = "" if status == OK else "Set PUBLIC_URL to the https address that Segment shall post to."
        yield Finding(
            check, status, "Not set: webhook URLs begin with the address that the page was asked under.", fix
        )
        return
    if url.startswith("http://"):
        fix = "Put a proxy with TLS in front, and set PUBLIC_URL to its https address."
        yield Finding(check, WARNING, f"{url} is not https, which is all that Segment sends to.", fix)
    elif not settings.trusted_proxies:
        yield Finding(
            check,
            WARNING,
            "It is https, so a proxy stands in front, but TRUSTED_PROXIES is 0: everybody has the proxy's "
            "address, and one who guesses passwords slows all others down.",
            "Set TRUSTED_PROXIES to the number of proxies, usually 1.",
        )
    answer = ask(url)
    if answer == OK:
        yield Finding(check, OK, f"{url} leads here.")
    else:
        yield Finding(
            check,
            PROBLEM if "certificate" in answer or "not Tributary" in answer else WARNING,
            f"{url} was asked from this machine: {answer}.",
            "Check the name, the proxy, its certificate and the firewall. "
            "Where this machine cannot reach its own public address, ask it from outside: curl URL/healthz",
        )


def ask(url: str) -> str:
    """Ask an address whether Tributary lives there: `ok`, or what was wrong in a few words."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=PATIENCE)
        try:
            connection.request("GET", f"{parts.path}/healthz")
            response = connection.getresponse()
            body = response.read(4096)
        finally:
            connection.close()
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not valid ({error.verify_message})"
    except TimeoutError:
        return f"no answer in {PATIENCE:.0f} s"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return (getattr(error, "strerror", None) or type(error).__name__).lower()
    try:
        lives = response.status == 200 and json.loads(body) == {"status": "ok"}
    except ValueError:
        lives = False
    return OK if lives else f"what answers is not Tributary (status {response.status})"


def _open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
