"""Whether everybody can use a page, whatever they read it with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from axe_playwright_python.sync_playwright import Axe

Look = tuple[str, int]
"""A colour scheme, and the width of a window in pixels."""
LOOKS: tuple[Look, ...] = (("light", 1280), ("dark", 390))
HEIGHT = 844
# Colours that are fading into others are no colours to measure. They begin to fade with the next frame.
_SETTLED = """async () => {
  const frame = () => new Promise((next) => requestAnimationFrame(next))
  do {
    await frame()
    await frame()
  } while (document.getAnimations().length)
  return 'axe' in window
}"""
# What it found in order is told of every element, and takes longer to hand over than to find.
_FOUND = "() => axe.run({resultTypes: ['violations']}).then((found) => found.violations)"
_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_axe = Axe()


def prepare(page: Any) -> None:
    """Have axe on every page that is opened from here on: cheaper than to bring it to each."""
    page.add_init_script(_axe.axe_script)


def violations(page: Any) -> list[tuple[str, Any]]:
    """What axe finds on a page of a real browser: `[(rule, selectors of the first element), ...]`."""
    if not page.evaluate(_SETTLED):
        page.evaluate(_axe.axe_script)
    return [(each["id"], each["nodes"][0]["target"]) for each in page.evaluate(_FOUND)]


def faults(page: Any, looks: Iterable[Look] = LOOKS) -> list[tuple[Any, ...]]:
    """What is wrong with a page that is open, however somebody looks at it.

    Args:
        page: of a real browser.
        looks: in which it is looked at, one after the other; first that which the window has, since each
            change costs as much as to open a page.

    Returns:
        `[(scheme, width, rule, selectors of the first element), ...]` for what axe finds, and
        `(scheme, width, "scrolls to the side", pixels)`.
    """
    wrong: list[tuple[Any, ...]] = []
    for scheme, width in sorted(looks, key=lambda look: look[1] != page.viewport_size["width"]):
        page.emulate_media(color_scheme=scheme)
        if page.viewport_size != (window := {"width": width, "height": HEIGHT}):
            page.set_viewport_size(window)
        wrong += [(scheme, width, *each) for each in violations(page)]
        wide = page.evaluate(_WIDE)
        wrong += [(scheme, width, "scrolls to the side", wide)] if wide > 0 else []
    return wrong
