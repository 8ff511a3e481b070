"""`ping` and `account`."""

from __future__ import annotations

from flask import Response, current_app

from webapp.security import public_base
from webapp.views.api.answers import answer
from webapp.views.api.routing import operation
from webapp.views.api.shapes import CURRENCY


@operation("GET", "/ping", "Say whether a key is good", group="Account", answers={200: "Pong"})
def ping() -> Response:
    """`pong!`, to whoever has a key."""
    return answer({"data": "pong!"})


@operation("GET", "/account", "Describe this installation", group="Account", answers={200: "Account"})
def account() -> Response:
    """What ChartMogul's clients want to know of an account."""
    return answer(
        {
            "id": public_base(),
            "name": current_app.extensions["settings"].brand_name,
            "currency": CURRENCY,
            "time_zone": "Etc/UTC",
            "week_start_on": "monday",
        }
    )
