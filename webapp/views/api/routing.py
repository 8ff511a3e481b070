"""The addresses of the API, each with what its description says of it, so that the two cannot part."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flask import Blueprint

from webapp.security import KEY_READS, KEY_WRITES

View = TypeVar("View", bound=Callable[..., Any])

bp = Blueprint("api", __name__, url_prefix="/v1")


@dataclass(frozen=True, slots=True)
class Operation:
    """One verb at one address.

    Attributes:
        verb: `GET`.
        path: as OpenAPI writes it, without the prefix: `/customers/{uuid}`.
        name: of the view; unique.
        summary: what it does, in a sentence without a full stop.
        group: the heading that it stands under.
        access: `public`, KEY_READS or KEY_WRITES.
        query: names of the parameters that it reads (keys of `schemas.PARAMETERS`).
        body: name of the schema of its body (of `schemas.SCHEMAS`), if it reads one.
        answers: by status, the name of the schema of the answer; None: it has no body.
    """

    verb: str
    path: str
    name: str
    summary: str
    group: str
    access: str
    query: tuple[str, ...] = ()
    body: str | None = None
    answers: Mapping[int, str | None] = field(default_factory=dict)


OPERATIONS: list[Operation] = []


def operation(
    verb: str,
    path: str,
    summary: str,
    *,
    group: str,
    query: tuple[str, ...] = (),
    body: str | None = None,
    answers: Mapping[int, str | None],
    access: str | None = None,
) -> Callable[[View], View]:
    """Let a view answer a verb at an address (see `Operation`).

    What is no GET needs a key that may write, unless `access` says otherwise.
    """
    allowed = access or (KEY_READS if verb == "GET" else KEY_WRITES)

    def decorate(view: View) -> View:
        view.access = allowed  # type: ignore[attr-defined]
        rule = re.sub(r"{(\w+)}", r"<\1>", path)
        name = view.__name__
        bp.add_url_rule(rule, name, view, methods=[verb])
        OPERATIONS.append(Operation(verb, path, name, summary, group, allowed, query, body, dict(answers)))
        return view

    return decorate
