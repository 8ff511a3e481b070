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
