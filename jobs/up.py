"""Everything in one command: `python -m jobs.up` (which is what `make run` runs).

Prepares the data directory, the secret key and the database, then runs the queue's server, the web server,
the worker and the sweeper until Ctrl-C.
"""

import fcntl
import os
import secrets
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from flask_migrate import upgrade
from sqlalchemy.exc import SQLAlchemyError

from jobs.broker import Broker, BrokerMissing, find
from jobs.supervisor import Child, Supervisor
from webapp.app import create_app
from webapp.config import BadSetting, Settings
from webapp.database import CannotMigrate
from webapp.extensions import db
from webapp.services import accounts

_SECONDS_TO_START = 60
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  to listen on; to visit

Result = TypeVar("Result")


class CannotStart(Exception):
    """Tributary cannot start here and now; the text says why and what to do."""


def main(arguments: Sequence[str] = ()) -> int:
    """Run Tributary until it is told to stop.

    Args:
        arguments: `--prepare` makes the data directory, the key and the tables, and stops there.

    Returns:
        The exit status: 0 after an orderly stop, 1 when something had to be killed, 2 when it did not start.
    """
    os.umask(0o077)  # whatever any of the programs writes is for its owner alone
    try:
        settings = Settings.from_env()
        with sole_owner(settings.data_dir):
            keep_secret(settings.data_dir)
            settings = Settings.from_env()
            if "--prepare" not in arguments:
                check_address(settings.host, settings.port)
            if "--prepare" in arguments:
                prepare_database(settings, upgrade)
                return 0
            token = prepare_database(settings, upgrade_and_invite)
            return serve(settings, find(settings.data_dir), token)
    except (BadSetting, BrokerMissing, CannotStart) as error:
        print(f"Tributary did not start. {error}", file=sys.stderr)
        return 2


@contextmanager
def sole_owner(data_dir: Path) -> Iterator[None]:
    """Make the data directory, readable by its owner alone, and hold it for one supervisor at a time.

    Raises:
        CannotStart: another supervisor holds it, or it cannot be written.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(data_dir / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(
            f"The data directory {data_dir} cannot be used ({error.strerror}). Set DATA_DIR to one that can."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise CannotStart(
            f"Another Tributary already runs on {data_dir}. Stop that one first, "
            "or give this one a directory of its own: DATA_DIR=elsewhere PORT=8001 make run"
        ) from None
    try:
        yield
    finally:
        os.close(lock)


def keep_secret(data_dir: Path) -> None:
    """Make the secret key at the first start, readable by its owner alone; `SECRET_KEY` goes before it."""
    path = data_dir / "secret_key"
    if os.environ.get("SECRET_KEY") or (path.exists() and path.read_text().strip()):
        return
    # Written aside and moved into place: a key half written by a dying machine would lock everything out.
    draft = path.with_suffix(".new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def check_address(host: str, port: int) -> None:
    """See that the address is free, since two servers on one port would share its requests unnoticed.

    Raises:
        CannotStart: somebody else listens there, or the host is not this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise CannotStart(
                f"Port {port} of {host} cannot be used ({error.strerror}). "
                f"Set PORT (or HOST) to one that is free, for example: PORT={port + 1} make run"
            ) from error


def prepare_database(settings: Settings, work: Callable[[], Result]) -> Result:
    """Work on the database before anything else does.

    Args:
        settings: of this installation.
        work: what to do, inside the application.

    Returns:
        What `work` returned.

    Raises:
        CannotStart: the database does not answer.
    """
    app = create_app(settings, rooms=())
    try:
        with app.app_context():
            try:
                return work()
            finally:
                db.engine.dispose()
    except CannotMigrate as error:
        raise CannotStart(str(error)) from error
    except SQLAlchemyError as error:
        # The error's own text may hold the connection string, so only its kind is told.
        kind = type(getattr(error, "orig", None) or error).__name__
        raise CannotStart(
            f"The database cannot be used ({kind}). Nothing was changed. Check DATABASE_URL, "
            "and that the server runs and lets this user in."
        ) from error


def upgrade_and_invite() -> str | None:
    """Bring the tables up to date; the token that makes the first administrator, if there is none yet."""
    upgrade()
    return accounts.setup_token()


def serve(settings: Settings, broker: Broker, token: str | None) -> int:
    """Run the programs until a signal; the exit status."""
    env = os.environ | {"DATA_DIR": str(settings.data_dir), "REDIS_URL": broker.url, "PYTHONUNBUFFERED": "1"}
    supervisor = Supervisor(children(broker), env, say=_say)

    def started() -> None:
        if wait_until_up(settings, supervisor):
            _say(greeting(settings, broker, token))
        elif not supervisor.stopping:
            _say("The web server does not answer yet; the lines above may say why.")

    status = supervisor.run(started)
    _say(
        "Tributary has stopped."
        if status == 0
        else "Tributary has stopped, not quite in order; nothing is lost."
    )
    return status


def children(broker: Broker) -> list[Child]:
    """The programs, in the order in which they start; their stages say in which order they stop.

    The web server goes first, so that nothing new is accepted; then those that work; the bell last.
    """
    python = sys.executable
    programs = [
        Child("web", (python, "-m", "jobs.web"), patience=25, stage=0),
        Child("worker", (python, "-m", "jobs.worker"), patience=30, stage=1),
        Child("sweeper", (python, "-m", "jobs.sweeper"), patience=15, stage=1),
    ]
    if broker.argv:
        programs.insert(0, Child("queue", broker.argv, patience=5, quiet=True, stage=2))
    return programs


def wait_until_up(settings: Settings, supervisor: Supervisor) -> bool:
    """Wait until the web server answers, or a minute, or a signal."""
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and not supervisor.stopping:
        supervisor.look_after()
        try:
            with urllib.request.urlopen(f"{_base(settings)}/healthz", timeout=2):  # noqa: S310
                return True
        except urllib.error.HTTPError:
            return True  # it answers; what is wrong is for /readyz and the log to say
        except OSError:
            time.sleep(0.1)
    return False


def greeting(settings: Settings, broker: Broker, token: str | None) -> str:
    """What the person at the terminal needs to know now."""
    base = settings.public_url or _base(settings)
    database = settings.database_url.split(":", 1)[0].split("+", 1)[0]
    lines = [
        "",
        f"  Tributary is up:  {base}/",
        f"  Data directory:   {settings.data_dir} (database: {database}, "
        f"queue: {'its own' if broker.argv else 'REDIS_URL'})",
    ]
    if token:
        lines += [
            "",
            "  There is no administrator yet. This link makes the first one, and works once:",
            f"  {base}/setup/{token}",
        ]
    return "\n".join([*lines, "", "  Ctrl-C stops everything in order.", ""])


def _base(settings: Settings) -> str:
    host = _EVERYWHERE.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
