"""What moves on a page, for somebody who has asked for less of it."""

import pytest

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


DURATION = "button => getComputedStyle(button).transitionDuration"


def test_who_asks_for_less_motion_sees_colours_change_at_once(page, home):
    """As evening comes, nothing on a page fades, so a browser draws it once and not for some frames."""
    page.goto(home + "/settings")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate("document.getAnimations().length") == 0
    button = page.get_by_role("button", name="Save changes")
    assert button.evaluate(DURATION) == "0s"
    page.emulate_media(reduced_motion="no-preference")
    assert button.evaluate(DURATION) != "0s"
