"""What Tributary is made of, and what is known against it: `make audit`.

Writes a bill of materials (CycloneDX) of all that runs, and asks the advisory service of Python's package
index about each pinned package. A package that the service says nothing about has not been audited, and that
is told as such: silence is no clean bill.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from webapp.security import HTMX_URL

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".venv" / "audit"
BILL = ROOT / "sbom.cdx.json"
RUNS = "requirements.txt"
ASKED_ABOUT = (RUNS, "requirements-dev.txt", "requirements-senders.txt")
CLEAN, KNOWN_AGAINST, UNKNOWN = 0, 1, 2
# What the last line of pip-audit names when nobody answered it; anything else is a fault of its own.
_NOBODY_ANSWERED = re.compile(
    r"connect|timed? ?out|ServiceError|^(requests|urllib3)\.exceptions\.", re.IGNORECASE
)


class NoReport(Exception):
    """pip-audit told nothing that can be read; the text is a sentence on why."""


def main() -> int:
    """Write the bill and ask about everything; the exit status.

    Returns:
        0: every package was audited, and nothing is known against any; 1: something is; 2: some were not
        audited, since the advisory service could not be reached or does not know them, or pip-audit failed.
    """
    made = _run("cyclonedx_py", "requirements", RUNS, "--output-reproducible", "--output-file", str(BILL))
    if made.returncode:
        print(f"The bill of materials could not be written: {made.stderr.strip()}", file=sys.stderr)
        return UNKNOWN
    bill = json.loads(BILL.read_text())
    parts = len(bill["components"])
    bill["components"].append(script())
    BILL.write_text(json.dumps(bill, indent=2))
    print(
        f"{BILL.name}: the {parts} packages that run, and the script of every page, with hashes (CycloneDX)"
    )
    worst = CLEAN
    for name in ASKED_ABOUT:
        try:
            lines, status = verdict(_report(name))
        except NoReport as why:
            lines, status = [f"NOT AUDITED: {why}"], UNKNOWN
        print("\n".join(f"{name}: {line}" for line in lines), flush=True)
        worst = KNOWN_AGAINST if KNOWN_AGAINST in (worst, status) else max(worst, status)
    return worst


def script() -> dict[str, Any]:
    """htmx as a component of the bill: every page runs it, and no list of Python's packages holds it."""
    found = re.search(r"/npm/([\w.]+)@([\d.]+)/", HTMX_URL)
    assert found is not None  # noqa: S101
    name, version = found.groups()
    kept = ROOT / "static" / "vendor" / f"htmx-{version}.min.js"
    # A test holds that this file is the one that pages load by its integrity hash.
    hashes = [{"alg": "SHA-384", "content": hashlib.sha384(kept.read_bytes()).hexdigest()}]
    return {
        "type": "library",
        "bom-ref": f"{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:npm/{name}@{version}",
        "hashes": hashes,
        "externalReferences": [{"type": "distribution", "url": HTMX_URL, "hashes": hashes}],
    }


def verdict(report: dict[str, Any]) -> tuple[list[str], int]:
    """What a report of pip-audit says, in lines and as an exit status (see `main`).

    Args:
        report: its JSON, `{"dependencies": [{"name", "version", "vulns"} or {"name", "skip_reason"}]}`.
    """
    packages = report["dependencies"]
    against = [
        f"{package['name']} {package['version']}: {found['id']}, {_cure(found['fix_versions'])}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    silent = [package["name"] for package in packages if "skip_reason" in package]
    lines = against.copy()
    if silent:
        lines.append(
            f"NOT AUDITED: of {len(silent)} of {len(packages)} packages the advisory service told nothing "
            f"({', '.join(silent[:5])}{', ...' if len(silent) > 5 else ''}). Ask again from a machine that "
            "reaches it."
        )
    if not lines:
        lines = [f"nothing is known against any of {len(packages)} packages"]
    return lines, KNOWN_AGAINST if against else UNKNOWN if silent else CLEAN


def _cure(versions: Sequence[str]) -> str:
    return f"mended in {' and '.join(versions)}" if versions else "not mended in any version yet"


def _report(requirements: str) -> dict[str, Any]:
    """What pip-audit says of a file of requirements.

    Raises:
        NoReport: the advisory service could not be reached, or pip-audit failed.
    """
    asked = _run(
        *("pip_audit", "--requirement", requirements, "--require-hashes", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", "15"),
    )
    try:
        report: dict[str, Any] = json.loads(asked.stdout)
        report["dependencies"]
    except (ValueError, TypeError, KeyError):
        said = (asked.stderr.strip() or f"it ended with {asked.returncode} and said nothing").splitlines()[-1]
        if _NOBODY_ANSWERED.search(said):
            why = "the advisory service could not be reached. Nothing is known of any package."
        else:
            why = "pip-audit itself failed, so nobody was asked about any package."
        raise NoReport(f"{why} It said: {said}") from None
    return report


def _run(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of the tools, which are installed apart from our own packages."""
    return subprocess.run(  # noqa: S603  the commands are ours
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(TOOLS)},
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
