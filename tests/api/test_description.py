"""The description of the API, which whoever calls it goes by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from webapp.security import KEY_READS, KEY_WRITES

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def described(app: Flask) -> Any:
    """What the server says of itself."""
    answer = app.test_client().get("/v1/openapi.json")
    assert answer.status_code == 200
    return answer.json


def operations(described: Any) -> Iterator[tuple[str, str, Any]]:
    for path, verbs in described["paths"].items():
        for verb, told in verbs.items():
            yield verb.upper(), path, told


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["$ref"]] if "$ref" in value else ())
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_every_address_is_described_and_every_described_one_is_there(app: Flask, described: Any) -> None:
    """Nothing is answered that is not said, and nothing is said that is not answered."""
    answered = {
        (verb, re.sub(r"<(\w+)>", r"{\1}", rule.rule.removeprefix("/v1")))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for verb in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert {(verb, path) for verb, path, _ in operations(described)} == answered
    assert len(answered) > 40


def test_every_view_says_which_keys_open_it(app: Flask) -> None:
    """Reading needs any key, everything else one that may write; the description alone needs none."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("api."):
            access = app.view_functions[rule.endpoint].access
            expected = KEY_READS if "GET" in rule.methods else KEY_WRITES
            assert access == ("public" if rule.endpoint == "api.description" else expected), rule


def test_the_description_is_whole(described: Any) -> None:
    """Every reference leads somewhere, names are unique, and paths declare what stands in them."""
    assert described["openapi"].startswith("3.1")
    assert described["servers"] == [{"url": "http://localhost/v1"}]
    for reference in references(described):
        found = described
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    names = [told["operationId"] for _, _, told in operations(described)]
    assert len(set(names)) == len(names)
    for verb, path, told in operations(described):
        named = [each["name"] for each in told["parameters"] if each.get("in") == "path"]
        assert named == re.findall(r"{(\w+)}", path)
        assert told["summary"]
        assert ("requestBody" in told) <= (verb in ("POST", "PUT", "PATCH", "DELETE"))
        assert any(status.startswith("2") for status in told["responses"])
    used = set(references(described))
    for kind in ("schemas", "parameters", "responses"):
        for name in described["components"][kind]:
            assert f"#/components/{kind}/{name}" in used, f"nothing speaks of {name}"


def test_answers_hold_what_the_description_says(app: Flask, described: Any) -> None:
    """The error of an unknown address has the described fields."""
    body = app.test_client().get("/v1/nothing").json
    assert body.keys() <= described["components"]["schemas"]["Error"]["properties"].keys()
