"""What the documents say is there, is there."""

import re
from pathlib import Path

import pytest

from webapp.app import create_app
from webapp.config import Settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_documents_leads_somewhere(page):
    """A reader never lands on nothing."""
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_document_names_is_there(page, tmp_path):
    """What is pasted from a page into a terminal runs."""
    text = page.read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"(?:`|^)make (?:[A-Z]+=\S+ )*([a-z]+)", text, re.MULTILINE):
        assert target in targets, target
    for module in re.findall(r"python -m (jobs\.[a-z]+)", text):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").exists(), module
    cli = create_app(Settings(data_dir=tmp_path, database_url="sqlite://", secret_key="k")).cli
    for words in re.findall(r"flask --app wsgi ([a-z]+(?: [a-z]+)?)", text):
        group, _, verb = words.partition(" ")
        command = cli.commands.get(group)
        assert command is not None, words
        assert not hasattr(command, "commands") or verb in command.commands, words


def test_every_test_that_a_promise_names_is_there():
    """The words after a file of tests are those of the name of one of its tests."""
    page = ROOT / "docs" / "reliability.md"
    held = [line.rsplit(" | ", 1)[1] for line in page.read_text().splitlines() if line.startswith("| ")]
    named = re.findall(r"\[`(test_\w+)`\]\(([^)]+)\)([^;|()]*)", "\n".join(held))
    assert len(named) > 30
    for file, target, told in named:
        assert Path(target).stem == file
        tests = re.findall(r"^def (test_\w+)", (page.parent / target).read_text(), re.MULTILINE)
        for words in told.split(","):
            spelled = re.sub(r"\W+", "_", words.strip())
            assert spelled, f"{file}: which of its tests?"
            assert any(spelled in test for test in tests), f"{file}: {words}"
