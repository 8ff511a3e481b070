"""Whether everybody can use a page, whatever they read it with."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

# Colours that are fading into others are no colours to measure. They begin to fade with the next frame.
_SETTLED = """async () => {
  const frame = () => new Promise((next) => requestAnimationFrame(next))
  do {
    await frame()
    await frame()
    await Promise.allSettled(document.getAnimations().map((each) => each.finished))
  } while (document.getAnimations().length)
}"""
# What it found in order is told of every element, and takes longer to hand over than to find.
_FOUND = "() => axe.run({resultTypes: ['violations']}).then((found) => found.violations)"
_axe = Axe()


def violations(page: Any) -> list[tuple[str, Any]]:
    """What axe finds on a page of a real browser: `[(rule, selectors of the first element), ...]`."""
    page.evaluate(_SETTLED)
    page.evaluate(_axe.axe_script)
    return [(each["id"], each["nodes"][0]["target"]) for each in page.evaluate(_FOUND)]
