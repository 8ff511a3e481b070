"""What the API says of itself: OpenAPI 3.1, made of the very operations that answer."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from flask import Response

from webapp.security import KEY_WRITES, public_base
from webapp.views.api.answers import answer
from webapp.views.api.routing import OPERATIONS, Operation, operation
from webapp.views.api.schemas import PARAMETERS, SCHEMAS, ref

_ERRORS = {
    "400": "The body or a parameter cannot be read",
    "401": "No valid API key was given",
    "403": "The key may read only",
    "404": "There is no such record, or it may not be seen",
    "422": "The request cannot be carried out; `errors` says why by field",
    "429": "Too many calls; `Retry-After` says when to try again",
    "503": "The database is busy, or the source is paused",
}
_INTRODUCTION = (
    "Customers, contacts, plans and subscriptions, as ChartMogul’s API names them. The key is the user name "
    "of HTTP Basic; the password is not looked at. Lists are paged by `cursor` while `has_more` is true."
)


@operation(
    "GET",
    "/openapi.json",
    "Describe the API",
    group="Account",
    answers={200: "Description"},
    access="public",
)
def description() -> Response:
    """This description. It tells nothing of what is stored, so it needs no key."""
    return answer(described() | {"servers": [{"url": f"{public_base()}/v1"}]})


@lru_cache(maxsize=1)
def described() -> dict[str, Any]:
    """The description without the address that it is served at."""
    paths: dict[str, dict[str, Any]] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.verb.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tributary API", "version": "1", "description": _INTRODUCTION},
        "tags": [{"name": group} for group in dict.fromkeys(each.group for each in OPERATIONS)],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "basic"}},
            "schemas": SCHEMAS,
            "parameters": {name: {"name": name, "in": "query", **told} for name, told in PARAMETERS.items()},
            "responses": {
                status: {"description": text, "content": _json("Error")} for status, text in _ERRORS.items()
            },
        },
    }


def _operation(each: Operation) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": each.name,
        "summary": each.summary,
        "tags": [each.group],
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", each.path)
            ),
            *({"$ref": f"#/components/parameters/{name}"} for name in each.query),
        ],
        "responses": {str(status): _answer(schema) for status, schema in each.answers.items()}
        | {status: {"$ref": f"#/components/responses/{status}"} for status in _errors_of(each)},
    }
    if each.body is not None:
        told["requestBody"] = {"required": True, "content": _json(each.body)}
    if each.access == "public":
        told["security"] = []
    return told


def _errors_of(each: Operation) -> list[str]:
    writes = each.access == KEY_WRITES
    return [
        status
        for status, meant in (
            ("400", bool(each.query or each.body)),
            ("401", each.access != "public"),
            ("403", writes),
            ("404", "{" in each.path or "email" in each.query),
            ("422", writes),
            ("429", True),
            ("503", True),
        )
        if meant
    ]


def _answer(schema: str | None) -> dict[str, Any]:
    if schema is None:
        return {"description": "Done; there is nothing to say"}
    return {"description": "Done", "content": _json(schema)}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": ref(schema)}}
