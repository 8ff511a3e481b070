"""Values that are markup, wherever values are shown, in a real browser under the policy of the pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

from tests.bad_input import hostile
from tests.browser.test_every_page import addresses
from webapp.config import Settings
from webapp.security import HTMX_URL

NOWHERE = ":"  # of an address that no browser can follow
# What runs later than the page is loaded has had its turn after two frames.
LOOK = """async () => {
    const frame = () => new Promise((next) => requestAnimationFrame(next))
    await frame()
    await frame()
    return {
        ran: window.ran ?? null,
        handlers: [...document.querySelectorAll("*")]
            .flatMap(each => each.getAttributeNames()).filter(name => /^(on|hx-on)/.test(name)).length,
        protocols: [...document.querySelectorAll("a[href]")].map(each => each.protocol),
        text: document.body.textContent
            + [...document.querySelectorAll("[value]")].map(each => each.value).join(" "),
    }
}"""


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_value_runs_wherever_it_is_shown(
    page: Any, visit: Any, account: Any, engine: Engine, settings: Settings
) -> None:
    """Told, typed, uploaded or matched: it is read as text, leads nowhere, and fetches nothing."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    client, inside, _ = account
    customer = next(path for path in inside if path.startswith("/customers/")).split("/merge")[0]
    customer = "/".join(customer.split("/")[:3])
    shown = hostile.fill(client, engine, settings, customer)
    everything = dict.fromkeys((customer, *shown, *addresses(client, inside).values()))
    texts = ""
    for path in everything:
        visit(path)
        page.mouse.move(300, 300)
        found = page.evaluate(LOOK)
        assert found["ran"] is None, path
        assert urlsplit(page.url).path == urlsplit(path).path
        assert set(found["protocols"]) <= {"http:", "https:", NOWHERE}, path
        assert not found["handlers"], path
        texts += found["text"]
    home = page.url.split("/", 3)
    ours = ("/".join(home[:3]) + "/", HTMX_URL)
    assert len(asked) > len(everything)
    assert not [url for url in asked if not url.startswith(ours)]
    kept = " ".join(texts.split())
    assert not [text for text in hostile.MARKUP if " ".join(text.split()) not in kept]
    places = (*hostile.TYPED, *hostile.UPLOADED)
    assert not [
        place for place in places if not any(f"{place} {text[:12]}" in kept for text in hostile.MARKUP)
    ]
