"""Routes that are quick to add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule


class Route(Rule):
    """A route that compiles what makes its address when it is first asked for one.

    Werkzeug compiles two functions for each when it is added: 400 of them, a fifth of the time that a web
    server or a command takes to start. Most commands ask for no address, and a page for some dozens.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled: Callable[..., tuple[str, str]] | None = None

        def build(route: Rule, /, **values: Any) -> tuple[str, str]:
            nonlocal compiled
            if compiled is None:
                compiled = Rule._compile_builder(route, append_unknown)
            return compiled(route, **values)

        return build
