"""CI's own promise."""

import os
from pathlib import Path

from tests import programs

ROOT = Path(__file__).resolve().parents[1]
A_TEST = """
import pytest

def test_needs_what_is_not_there():
    pytest.skip("not installed")
"""


def run_pytest(folder: Path, ci: str) -> tuple[int, str]:
    """Run one test that is not run, with our own conftest; the status, and what is said."""
    (folder / "test_it.py").write_text(A_TEST)
    command = ["pytest", "-p", "tests.conftest", "-c", f"{ROOT}/pyproject.toml", str(folder)]
    program = programs.start(command, os.environ | {"CI": ci}, folder / f"said{ci}.log")
    return program.wait(), program.log.read_text()


def test_a_test_that_is_not_run_is_a_failure_in_ci_and_only_there(tmp_path):
    """A missing database or browser never passes for a green run."""
    status, said = run_pytest(tmp_path, ci="true")
    assert status == 1, said
    assert "1 failed" in said
    status, said = run_pytest(tmp_path, ci="")
    assert status == 0, said
    assert "1 skipped" in said
