"""What Tributary is made of, and what is known against it: `make audit`.

Writes a bill of materials (CycloneDX) of all that runs, and asks the advisory service of Python's package
index about each pinned package. A package that the service says nothing about has not been audited, and that
is told as such: silence is no clean bill.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".venv" / "audit"
BILL = ROOT / "sbom.cdx.json"
RUNS = "requirements.txt"
ASKED_ABOUT = (RUNS, "requirements-dev.txt", "requirements-senders.txt")
CLEAN, KNOWN_AGAINST, UNKNOWN = 0, 1, 2


def main() -> int:
    """Write the bill and ask about everything; the exit status.

    Returns:
        0: every package was audited, and nothing is known against any; 1: something is; 2: some were not
        audited, since the advisory service could not be reached or does not know them.
    """
    made = _run("cyclonedx_py", "requirements", RUNS, "--output-reproducible", "--output-file", str(BILL))
    if made.returncode:
        print(f"The bill of materials could not be written: {made.stderr.strip()}", file=sys.stderr)
        return UNKNOWN
    parts = len(json.loads(BILL.read_text())["components"])
    print(f"{BILL.name}: the {parts} packages that run, each with its hashes (CycloneDX)")
    worst = CLEAN
    for name in ASKED_ABOUT:
        lines, status = verdict(_report(name))
        print("\n".join(f"{name}: {line}" for line in lines), flush=True)
        worst = KNOWN_AGAINST if KNOWN_AGAINST in (worst, status) else max(worst, status)
    return worst


def verdict(report: dict[str, Any] | None) -> tuple[list[str], int]:
    """What a report of pip-audit says, in lines and as an exit status (see `main`).

    Args:
        report: its JSON, `{"dependencies": [{"name", "version", "vulns"} or {"name", "skip_reason"}]}`;
            None: there was none, since the service could not be reached.
    """
    if report is None:
        return ["NOT AUDITED: the advisory service could not be reached. Nothing is known of any package."], 2
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


def _report(requirements: str) -> dict[str, Any] | None:
    asked = _run(
        *("pip_audit", "--requirement", requirements, "--require-hashes", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", "--timeout", "15"),
    )
    try:
        report: dict[str, Any] = json.loads(asked.stdout)
    except ValueError:
        return None
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
