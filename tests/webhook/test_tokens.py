"""Looking up what a token opens, while the database does not say."""

from __future__ import annotations

import time
from threading import Thread

import pytest
from sqlalchemy import text

from tests.webhook.conftest import Line, eventually
from webapp.database import begin
from webapp.services import tokens

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def test_a_silent_database_holds_few_of_those_who_call(line: Line) -> None:
    """Threads that all wait to learn what a token opens would leave none for pages and health checks."""
    statuses: list[int] = []

    def sender(number: int) -> None:
        statuses.append(line.post(b"1", token=tokens.make_token()).status)

    senders = [Thread(target=sender, args=[number]) for number in range(30)]
    with begin(line.engine) as connection:
        connection.execute(text("LOCK TABLE webhook_urls IN ACCESS EXCLUSIVE MODE"))
        for thread in senders:
            thread.start()
        # All but the eight that may ask have an answer while the lock lasts, before anybody loses patience.
        assert eventually(lambda: len(statuses) >= 22, 3)
        time.sleep(1.2)
        begun = time.monotonic()
        assert line.post(b"1", token=tokens.make_token()).status == 503
        assert time.monotonic() - begun < 0.5
    for thread in senders:
        thread.join()
    assert set(statuses) <= {403, 503}
    assert line.post(b"1", token=tokens.make_token()).status == 403
