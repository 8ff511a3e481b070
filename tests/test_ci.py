"""CI's own promise."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
A_TEST = """
import pytest

def test_needs_what_is_not_there():
    pytest.skip("not installed")
"""


def run_pytest(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    """Run one test that is not run, with our own conftest."""
    (folder / "test_it.py").write_text(A_TEST)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-c", ROOT / "pyproject.toml", folder],
        cwd=ROOT,
        env=os.environ | {"CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_test_that_is_not_run_is_a_failure_in_ci_and_only_there(tmp_path):
    """A missing database or browser never passes for a green run."""
    there = run_pytest(tmp_path, ci="true")
    assert there.returncode == 1, there.stdout
    assert "1 failed" in there.stdout
    assert run_pytest(tmp_path, ci="").returncode == 0
