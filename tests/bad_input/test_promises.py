"""What docs/reliability.md promises of safety is held by the tests that it names."""

import re

from tests.conftest import ROOT

SECTION = "## Nobody let in"


def test_every_promise_of_safety_names_tests_that_are_there() -> None:
    """A test that is renamed or taken away takes its promise along."""
    section = (ROOT / "docs" / "reliability.md").read_text().split(SECTION)[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 10
    for row in rows:
        named = re.findall(r"\[`(test_\w+)`\]\(\.\./([\w/]+\.py)\)", row)
        assert named, row
        for name, file in named:
            assert f"def {name}(" in (ROOT / file).read_text(), (name, file)
