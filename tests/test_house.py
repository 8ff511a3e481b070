"""The rules of the house that a machine can check; ARCHITECTURE.md gives the reasons."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the bottom up. What stands in front of a longer name's floor is decided by the longest match.
FLOORS = {
    "webapp.domain": 0,
    "webapp.config": 1,
    "webapp.failpoints": 1,
    "webapp.garbage": 1,
    "webapp.routes": 1,
    "webapp.logs": 1,
    "webapp.database": 1,
    "webapp.turns": 1,
    "webapp.sqlite": 1,
    "webapp.checkpoints": 1,
    "webapp.models": 1,
    "webapp.extensions": 2,
    "webapp.services": 2,
    "jobs.queue": 3,
    "jobs.tasks": 3,
    "jobs.tending": 3,
    "jobs.broker": 3,
    "jobs.lifeline": 0,
    "jobs.later": 0,
    "webapp.forms": 4,
    "webapp.security": 4,
    "webapp.views": 4,
    "webapp.webhook": 4,
    "webapp.app": 5,
    "webapp.cli": 5,
    "jobs.web": 6,
    "jobs.worker": 6,
    "jobs.workers": 6,
    "jobs.sweeper": 6,
    "jobs.supervisor": 6,
    "jobs.up": 6,
    "jobs.environment": 6,
    "jobs.audit": 6,
    "wsgi": 6,
}
LONGEST = 350
BY_HAND = {".py", ".html", ".js", ".css"}
STANDARD_ONLY_BUT = {"msgspec"}


def tracked() -> list[Path]:
    """Every file that belongs to the project, new ones too."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


FILES = tracked()
MODULES = [
    path
    for path in FILES
    if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in ("webapp", "jobs", "wsgi.py")
    if "migrations" not in path.parts
]


def name_of(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int | None:
    """The floor a module stands on; None for what is not ours."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        if (found := FLOORS.get(".".join(parts[:length]))) is not None:
            return found
    return None


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a module imports, wherever in it, in the longest form that the file shows."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down_only(path):
    """A floor knows those below it, so each can be read, tested and replaced without those above."""
    module = name_of(path)
    if module in ("webapp", "jobs"):
        assert path.read_text().strip() == "", f"{module}/__init__.py imports nothing"
        return
    own = floor_of(module)
    assert own is not None, f"{module} stands on no floor; give it one in FLOORS"
    for imported in imports_of(path):
        other = floor_of(imported)
        assert other is None or other <= own, f"{module} (floor {own}) imports {imported} (floor {other})"


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p).startswith("webapp.domain")], ids=name_of)
def test_the_domain_knows_neither_clock_nor_database_nor_web(path):
    """What the product means is a pure function of what it was told."""
    for imported in imports_of(path):
        top = imported.split(".")[0]
        if top == "webapp":
            assert imported.startswith("webapp.domain")
            continue
        assert top in sys.stdlib_module_names or top in STANDARD_ONLY_BUT, imported
        assert top not in {"time", "random", "secrets", "os", "socket", "sqlite3"}, imported
    assert not re.search(r"\b(now|utcnow|today)\(", path.read_text())


@pytest.mark.parametrize(
    "path",
    [p for p in FILES if p.suffix in BY_HAND and not {"vendor", "versions"} & set(p.parts)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_module_is_longer_than_a_person_keeps_in_mind(path):
    """What grows past 350 lines is two things."""
    assert len(path.read_text().splitlines()) <= LONGEST


def test_the_code_promises_nothing_for_later():
    """A note to do something later, or a test that does not run, is work that looks done and is not."""
    later = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")
    unrun = re.compile(r"mark\.(" + "sk" + r"ip|xf" + r"ail)|@unittest\." + "sk" + "ip")
    for path in FILES:
        if path.suffix in BY_HAND | {".md", ".toml", ".in"} and "vendor" not in path.parts:
            text = path.read_text()
            assert not later.search(text), path
            if path.suffix == ".py":
                assert not unrun.search(text), path


def test_no_file_names_a_package_host():
    """Where packages come from is the machine's setting, not the project's."""
    hosts = [
        *("py" + "pi.org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com"),
        "deb." + "debian.org",
    ]
    for path in FILES:
        if path.suffix in BY_HAND | {".md", ".toml", ".txt", ".in", ".json", ".yml", ".yaml", ""}:
            text = path.read_text(errors="replace")
            assert not [host for host in hosts if host in text], path


@pytest.mark.parametrize("part", ["", "-dev", "-senders", "-audit"])
def test_every_requirement_is_pinned_by_version_and_hash(part):
    """What was tested is what gets installed, byte for byte."""
    entries = re.split(r"\n(?=\S)", (ROOT / f"requirements{part}.txt").read_text())
    packages = [entry for entry in entries if not entry.startswith("#")]
    assert packages
    for entry in packages:
        assert re.match(r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==\S+", entry), entry.splitlines()[0]
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_pages_need_no_unsafe_policy():
    """No inline style, script or handler, so the Content-Security-Policy can forbid them all."""
    inline = re.compile(
        r"<style\b|\sstyle=|\son[a-z]+=|<script(?![^>]*\bsrc=)|javascript:|hx-on", re.IGNORECASE
    )
    for path in FILES:
        if path.suffix == ".html":
            for number, line in enumerate(path.read_text().splitlines(), 1):
                assert not inline.search(line), f"{path}:{number}: {line.strip()}"


def test_every_test_states_its_promise():
    """A test's docstring says what its failure would mean to somebody."""
    for path in FILES:
        if path.suffix == ".py" and path.name.startswith("test_"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                    assert ast.get_docstring(node), f"{path}: {node.name}"
