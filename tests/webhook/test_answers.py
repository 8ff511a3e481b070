"""Every row of the table of answers."""

import gzip

import pytest
from sqlalchemy import select

from tests import factories
from tests.webhook.bodies import LET_IN, PACKED, TURNED_AWAY
from tests.webhook.conftest import add_url, eventually
from webapp.database import begin
from webapp.models import Event, now

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize("name", LET_IN)
def test_what_is_json_is_stored_byte_for_byte(line, name):
    """No event is lost for what it looks like; what it says is read later."""
    body, events = LET_IN[name]
    reply = line.post(body)
    assert (reply.status, reply.json) == (200, {"received": len(events)})
    assert line.bodies() == events


@ONE_DATABASE
@pytest.mark.parametrize("name", PACKED)
def test_packed_bodies_are_unpacked(line, name):
    """Senders pack in several ways, and mean the same event."""
    coding, body = PACKED[name]
    assert line.post(body, HTTP_CONTENT_ENCODING=coding).json == {"received": 1}
    assert line.bodies() == [b'{"a":1}']


@ONE_DATABASE
@pytest.mark.parametrize("name", TURNED_AWAY)
def test_what_cannot_be_taken_is_turned_away_with_a_reason(line, name):
    """The sender's log says what was wrong, the source page counts it, and nothing is stored."""
    headers, body, status, reason = TURNED_AWAY[name]
    reply = line.post(body, **headers)
    assert reply.status == status
    assert reply.message.startswith(reason)
    assert line.bodies() == []
    assert eventually(lambda: [key[0] for key in line.rejections()] == [status])
    assert next(iter(line.rejections()))[1].startswith(reason)


def test_reasons_are_counted_without_places(line):
    """A thousand broken bodies are a handful of lines on the source page, whatever is in them."""
    for body in (b"x", b'{"a":', b'{"secret":"s3cret"', b"\xff", b'{"b":"\xff"}'):
        assert line.post(body).status == 400
    assert eventually(lambda: sum(line.rejections().values()) == 5)
    assert line.rejections() == {(400, "the body is not JSON"): 3, (400, "the body is not UTF-8"): 2}


@ONE_DATABASE
def test_a_body_without_a_length_is_read_to_its_end(line):
    """Chunked senders exist; the server marks the end, and the limit holds for them too."""
    chunked = {"CONTENT_LENGTH": None, "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert line.post(b'{"a":1}', **chunked).json == {"received": 1}
    assert line.post(gzip.compress(b'{"a":2}'), HTTP_CONTENT_ENCODING="gzip", **chunked).json == {
        "received": 1
    }
    assert line.post(b"[" + b" " * (5 * 1024 * 1024) + b"]", **chunked).status == 413


@ONE_DATABASE
def test_a_sender_that_hangs_up_leaves_nothing(line):
    """Half a body is no event."""

    class Broken:
        def read(self, _size):
            raise OSError("gone")

    reply = line.post(b"", CONTENT_LENGTH="50", **{"wsgi.input": Broken()})
    assert (reply.status, reply.message) == (400, "the body ended before it was complete")
    assert line.bodies() == []


@ONE_DATABASE
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"])
def test_only_post_is_allowed(line, method):
    """A person who opens the URL in a browser learns that it is there and what it takes, nothing more."""
    for path in (f"/webhooks/segment/{line.token}", "/webhooks/segment/nobody's", "/webhooks/segment/"):
        reply = line.call(method, path, b'{"a":1}')
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")
        assert reply.body == b"" if method == "HEAD" else reply.message


@ONE_DATABASE
def test_a_slash_at_the_end_changes_nothing(line):
    """Whoever pastes the URL with a slash loses no event to a redirect."""
    assert line.call("POST", f"/webhooks/segment/{line.token}/", b'{"a":1}').json == {"received": 1}


@ONE_DATABASE
def test_an_unknown_token_is_forbidden_whatever_the_body(line):
    """The token is asked before the body is looked at, so nobody learns anything with rubbish."""
    for token in ("x", line.token + "x", line.token.swapcase(), "ünknown", line.token + "/x", "\udcff"):
        for body in (b'{"a":1}', b"rubbish", b"{}"):
            reply = line.post(body, token=token)
            assert (reply.status, reply.json) == (
                403,
                {"errors": [{"field": None, "message": "access forbidden"}]},
            )
    assert line.rejections() == {}


@ONE_DATABASE
def test_an_answer_carries_no_cookie_and_is_not_kept(line):
    """The webhook knows no sessions."""
    reply = line.post({"a": 1}, HTTP_COOKIE="session=x")
    assert reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert not {"Set-Cookie", "Location"} & reply.headers.keys()


@ONE_DATABASE
@pytest.mark.parametrize("path", ["/", "/webhooks", "/webhooks/segmental/x", "/webhooks/other/x", ""])
def test_every_other_path_goes_to_the_dashboard(line, path):
    """The webhook takes its own paths and nothing else."""
    assert line.call("POST", path).status == 418


def test_the_connection_test_is_noted_and_stored_nowhere(line):
    """Segment's test button makes the source page say "connection tested", and no event."""
    before = now()
    assert line.post({}).status == 200
    assert line.bodies() == []
    assert line.tally() == (0, 0)
    assert line.source().connection_tested_at >= before
    assert line.source().first_event_at is None


def test_a_paused_source_keeps_or_refuses(line):
    """A pause may store what comes for later, or leave it to Segment to come again."""
    line.set(pause="keep")
    assert line.post({"a": 1}).json == {"received": 1}
    assert line.rung == []
    line.set(pause="refuse")
    reply = line.post({"a": 2})
    assert (reply.status, int(reply.headers["Retry-After"]) > 0) == (503, True)
    assert reply.message
    line.set(pause="")
    assert line.post({"a": 3}).json == {"received": 1}
    assert line.bodies() == [b'{"a": 1}', b'{"a": 3}']
    assert line.rung == [line.source_id]


def test_a_deleted_source_is_forbidden_from_that_moment(line):
    """What Segment still sends gets in nowhere, though the token was good a moment ago."""
    assert line.post({"a": 1}).status == 200
    line.set(state="deleting")
    assert line.post({"a": 2}).status == 403
    assert line.post(b"rubbish").status == 403
    assert len(line.bodies()) == 1


def test_a_url_replaced_at_once_is_forbidden_and_counted(line):
    """Who regenerates after a leak means now; how many still call the old URL is shown."""
    assert line.post({"a": 1}).status == 200
    new = line.replace()
    for body in (b'{"a":2}', b"rubbish", b"{}"):
        assert line.post(body).status == 403
    assert line.post({"a": 3}, token=new).status == 200
    assert eventually(lambda: line.url().late_calls == 3)
    assert line.url().last_late_call_at > line.url().replaced_at
    assert eventually(lambda: line.rejections() == {(403, "access forbidden"): 3})
    assert len(line.bodies()) == 2


def test_a_url_in_its_grace_period_works_and_is_counted(line):
    """Time to paste the new URL in Segment, with a count of what still comes by the old one."""
    new = line.replace(grace=3600)
    assert line.post({"a": 1}).json == {"received": 1}
    assert line.post({"a": 2}, token=new).json == {"received": 1}
    assert line.post(b"rubbish").status == 400
    assert eventually(lambda: line.url().late_calls == 2)
    assert line.url(new).late_calls == 0
    assert len(line.bodies()) == 2


def test_the_same_event_again_is_counted_as_a_duplicate(line):
    """Segment repeats itself; each call is answered alike, and one row is left when they are drained."""
    event = b'{"messageId":"m1","a":1,"sentAt":"2026-01-01T00:00:00Z"}'
    again = b'{"a": 1, "sentAt": "2026-01-02T00:00:00Z", "messageId": "m1"}'
    other = b'{"messageId":"m1","a":2,"sentAt":"2026-01-01T00:00:00Z"}'
    assert line.post(event).json == {"received": 1}
    assert line.post(again).json == {"received": 1}
    assert line.post(b"[" + b",".join([event, other, again, other]) + b"]").json == {"received": 4}
    assert line.tally() == (6, 0)
    assert line.drain().duplicates == 4
    assert line.bodies() == [event, other]
    assert line.tally() == (6, 4)
    assert line.post(again).json == {"received": 1}
    assert line.drain().duplicates == 1
    assert line.bodies() == [event, other]
    assert line.tally() == (7, 5)


def test_two_sources_may_receive_the_same_event(line):
    """The very same event is the same only within one source."""
    with begin(line.engine) as connection:
        other = add_url(connection, factories.source(connection, "Other"))
    assert line.post({"a": 1}).json == line.post({"a": 1}, token=other).json == {"received": 1}
    assert line.tally() == (2, 0)


def test_events_of_one_body_keep_their_order_and_share_their_receipt(line):
    """Ties are broken by the order of receipt, which is the body's."""
    bodies = [b'{"n":%d}' % number for number in range(300)]
    assert line.post(b"[" + b",".join(bodies) + b"]").json == {"received": 300}
    assert line.bodies() == bodies
    with line.engine.connect() as connection:
        assert len(set(connection.scalars(select(Event.received_at)))) == 1


def test_first_and_last_event_are_noted(line):
    """The guide that waits for the first event sees it, and the table of sources the last."""
    assert line.post({"a": 1}).status == 200
    first = line.source()
    assert first.first_event_at == first.last_event_at
    assert line.post({"a": 2}).status == 200
    assert eventually(lambda: line.source().last_event_at > first.last_event_at)
    assert line.source().first_event_at == first.first_event_at
