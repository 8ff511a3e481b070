"""More who ask than there are connections to the database in our own pool, while its server has enough."""

from __future__ import annotations

import http.client
from contextlib import closing
from threading import Thread

import pytest
from sqlalchemy import text

from tests.faults import account
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site
from webapp.database import engine_options

POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
TOO_MANY = 10


@POSTGRESQL
def test_more_ask_for_pages_than_the_pool_has_connections(site: Site) -> None:
    """Somebody holds a table: who finds no connection is told in words to come again; the others wait."""
    port, options = site.settings.port, engine_options(site.settings)
    pool = options["pool_size"] + options["max_overflow"]
    site.serve(WEB_THREADS=str(2 * pool))
    site.work()
    sender = Sender(site.address, events=traffic("m", 1000), connections=4, pause=0.2).start()
    told: list[tuple[int, str]] = []
    asking = [Thread(target=lambda: told.append(page(port)), daemon=True) for _ in range(pool + TOO_MANY)]
    with site.engine.connect() as connection:
        connection.execute(text("LOCK TABLE users, logins IN ACCESS EXCLUSIVE MODE"))
        for one in asking:
            one.start()
        until(lambda: len(told) == TOO_MANY, "who finds no connection is told so", 30)
        assert {status for status, _ in told} == {503}
        assert all("Not available at the moment" in words for _, words in told)
        connection.rollback()
    for one in asking:
        one.join(30)
    assert [status for status, _ in told[TOO_MANY:]] == [200] * pool
    assert page(port)[0] == 200
    sender.stop().wait()
    assert not sender.failures
    account.close(site, sender)


def page(port: int) -> tuple[int, str]:
    """The status of a page that asks the database, and what it says."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", "/sign-in")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
