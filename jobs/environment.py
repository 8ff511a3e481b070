"""Makes `.venv` and installs what is missing; run by make, before anything is installed.

Standard library only, and no syntax newer than the check of Python's own version below.

    python3 jobs/environment.py run     what Tributary needs to run
    python3 jobs/environment.py test    that, and what its tests need: pytest, PostgreSQL, Chromium
    python3 jobs/environment.py audit   that, and what `make audit` asks with
"""

from __future__ import annotations

import ctypes.util
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
RUN = ["requirements.txt"]
FILES = {"run": RUN, "test": [*RUN, "requirements-dev.txt"], "audit": RUN}
# Libraries of others that tests send with, apart from our own packages: they ask for other versions.
SENDERS = VENV / "senders"
NODE_FILES = [ROOT / "tests" / "senders" / name for name in ("package.json", "package-lock.json")]


def main(purpose: str) -> int:
    """Bring the environment up to date for a purpose; the exit status."""
    if sys.version_info < OLDEST:
        return _fail(
            f"Tributary needs Python {OLDEST[0]}.{OLDEST[1]} or newer; {sys.executable} is "
            f"{sys.version_info[0]}.{sys.version_info[1]}. With a newer one: make PYTHON=python3.12 ..."
        )
    if not _works() and not _make_venv():
        return _fail(
            ".venv could not be made. Python's own venv module is needed; "
            f"on Debian and its kin, as root: apt-get install {_venv_package()}"
        )
    for name in FILES[purpose]:
        if not _install(ROOT / name):
            return _fail(f"{name} could not be installed (see above). Run the same command again to retry.")
    if purpose == "audit":
        return _install_apart("requirements-audit.txt", VENV / "audit")
    return _install_for_tests() if purpose == "test" else 0


def _install_apart(name: str, folder: Path) -> int:
    """Install what asks for other versions than our own packages into a folder of its own."""
    if not _install(ROOT / name, "--target", str(folder), "--upgrade"):
        return _fail(f"{name} could not be installed (see above). Run the same command again to retry.")
    return 0


def _install_for_tests() -> int:
    missing = _install_apart("requirements-senders.txt", SENDERS / "python")
    return missing or _install_programs() or _install_node_packages()


def _works() -> bool:
    """Whether `.venv` is whole: an interrupted start, or a new Python, leaves one that is not."""
    if not PYTHON.exists():
        return False
    check = [str(PYTHON), "-c", "import pip, sys; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.run(check, capture_output=True, check=False).returncode == 0  # noqa: S603


def _make_venv() -> bool:
    print("Making .venv", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    # Debian keeps this part of Python in a package of its own.
    if importlib.util.find_spec("ensurepip") is None:
        print(f"Installing {_venv_package()} with apt-get", flush=True)
        _apt_install([_venv_package()])
    return _quiet([sys.executable, "-m", "venv", str(VENV)])  # says itself what went wrong


def _install(requirements: Path, *options: str) -> bool:
    """Install a requirements file unless exactly this one has been installed already; `options` are pip's."""
    stamp = VENV / f".{requirements.stem}-installed"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return True
    print(f"Installing {requirements.name} into .venv", flush=True)
    command = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input"]
    command += [*options, "--require-hashes", "-r", str(requirements)]
    done = subprocess.run(command, check=False)  # noqa: S603
    if done.returncode == 0:
        stamp.write_text(digest)
    return done.returncode == 0


def _install_node_packages() -> int:
    """Install Segment's library for Node, as its lock file says; without npm its test is skipped."""
    if not shutil.which("npm"):
        return 0
    stamp = SENDERS / ".node-installed"
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in NODE_FILES)).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return 0
    print("Installing tests/senders/package-lock.json into .venv", flush=True)
    for path in NODE_FILES:
        shutil.copy(path, SENDERS)
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(SENDERS)]
    if not _quiet(npm):
        print("Segment's library for Node could not be installed (see above): its test is skipped")
        return 1 if os.environ.get("CI") else 0
    stamp.write_text(digest)
    return 0


def _install_programs() -> int:
    """Install the programs that are missing; a plain word where that cannot be done."""
    missing = _missing_programs()
    if missing:
        packages = [package for package, _ in missing.values()]
        print(f"Installing {', '.join(missing)} with apt-get", flush=True)
        _apt_install([word for package in packages for word in package.split()])
        missing = _missing_programs()
    for name, (package, consequence) in missing.items():
        print(f"{name} is not installed and could not be: {consequence}. As root: apt-get install {package}")
    return 1 if missing and os.environ.get("CI") else 0


def _missing_programs() -> dict[str, tuple[str, str]]:
    """What tests need and this machine lacks: `{name: (its packages, what goes without it)}`."""
    missing = {}
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) and not shutil.which("initdb"):
        missing["PostgreSQL"] = ("postgresql", "tests run on SQLite alone")
    if not any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        missing["Chromium"] = ("chromium fonts-liberation", "browser tests are skipped")
    if ctypes.util.find_library("atomic") is None:  # playwright brings its own node, but not what that needs
        missing["libatomic"] = ("libatomic1", "browser tests are skipped")
    if not shutil.which("npm"):
        missing["npm"] = ("npm", "the test that sends with Segment's library for Node is skipped")
    return missing


def _apt_install(packages: list[str]) -> bool:
    """Install Debian packages, as root or through a sudo that asks for no password; False if neither."""
    if not shutil.which("apt-get"):
        return False
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if prefix and not (shutil.which("sudo") and _quiet(["sudo", "-n", "true"])):
        return False
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    _quiet([*apt, "update"])
    return _quiet([*apt, "install", "-y", "--no-install-recommends", *packages])


def _venv_package() -> str:
    return f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"


def _quiet(command: list[str]) -> bool:
    """Run a command, showing what it said only when it failed; whether it went well."""
    done = subprocess.run(  # noqa: S603
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode:
        sys.stderr.write(done.stdout.decode(errors="replace")[-2000:])
    return done.returncode == 0


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
