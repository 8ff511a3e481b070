"""Settings, and the page that explains them."""

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from webapp import config
from webapp.config import BadSetting, Settings

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \|", re.MULTILINE)


def explained() -> dict[str, str]:
    """`{variable: the default as the table shows it}` of docs/configuration.md."""
    return dict(ROW.findall((ROOT / "docs" / "configuration.md").read_text()))


def read_by_the_code() -> set[str]:
    """The variables that `webapp/config.py` reads."""
    tree = ast.parse(Path(config.__file__).read_text())
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {text for text in texts if isinstance(text, str) and re.fullmatch(r"[A-Z]+(_[A-Z]+)*", text)}


def test_every_variable_is_explained_and_no_other():
    """Who runs Tributary finds each setting in one table, and each line of it works."""
    assert set(explained()) == read_by_the_code()


def test_the_table_shows_the_defaults_of_the_code(tmp_path):
    """A default that the page promises is the one that holds."""
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    for field in fields(Settings):
        shown = explained().get(field.name.upper(), "").strip("`").replace("none", "")
        value = getattr(settings, field.name)
        if isinstance(value, int | str) and shown and "/" not in shown and " " not in shown:
            assert shown == str(value), field.name
    assert settings.database_url == f"sqlite:///{tmp_path}/tributary.db"
    assert settings.redis_url is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("ASSETS", "elsewhere"),
        ("PUBLIC_URL", "tributary.example.com"),
        ("DATABASE_URL", "mysql://localhost/tributary"),
        ("MAX_BODY_BYTES", "-1"),
        ("TRUSTED_PROXIES", "all"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name, value):
    """One line says which variable to mend."""
    with pytest.raises(BadSetting, match=name):
        Settings.from_env({name: value})


def test_an_empty_variable_counts_as_one_that_is_not_set():
    """Compose files and unit files set variables to nothing when they mean nothing."""
    names = read_by_the_code()
    assert Settings.from_env(dict.fromkeys(names, "")) == Settings.from_env({})


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_is_understood_as_people_write_it(scheme):
    """Hosting companies hand out either spelling."""
    settings = Settings.from_env({"DATABASE_URL": f"{scheme}://u:p@db/tributary"})
    assert settings.database_url == "postgresql+psycopg://u:p@db/tributary"
