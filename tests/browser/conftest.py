"""A browser in which somebody is signed in without the form, which is tried on its own."""

import pytest

from tests import people
from tests.sources.support import add_source
from webapp.security import COOKIE


@pytest.fixture
def signed_in(page, live_server, engine):
    """The page of an administrator."""
    page.context.add_cookies([{"name": COOKIE, "value": people.session(engine), "url": live_server.url}])
    return page


@pytest.fixture
def home(signed_in, app, live_server):
    """The address of a source, where an administrator is signed in."""
    return f"{live_server.url}/sources/{add_source(app, 'Website')[0]}"
