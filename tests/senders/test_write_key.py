"""The paths of Segment's libraries: who may send, what is stored, and answers that libraries understand."""

import gzip
import json

import pytest

from tests.senders.conftest import basic
from tests.webhook.bodies import LET_IN, TURNED_AWAY
from tests.webhook.conftest import eventually

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
IDENTIFY = {"userId": "ada", "traits": {"email": "ada@example.com"}}
NOT_LET_IN = {
    "success": False,
    "code": "unauthorized",
    "message": "the write key is unknown, or has been replaced",
}


def test_a_batch_is_stored_event_by_event(keyed):
    """What libraries send is in the inbox as a webhook would have brought it, and the key is not in it."""
    events = [{"type": "identify", **IDENTIFY}, {"type": "page", "userId": "ada", "messageId": "m2"}]
    body = {"batch": events, "sentAt": "2026-09-21T10:00:00Z", "writeKey": keyed.key}
    reply = keyed.send("/v1/batch", body)
    assert (reply.status, reply.json) == (200, {"success": True})
    assert [json.loads(stored) for stored in keyed.line.bodies()] == events
    assert keyed.line.rung == [keyed.line.source_id]


@ONE_DATABASE
@pytest.mark.parametrize("type", ["track", "identify", "group", "page", "screen", "alias"])
def test_a_path_says_what_the_event_is(keyed, type):
    """Segment's HTTP API has the type in the path; stored, every event says its own. None is lost."""
    assert keyed.send(f"/v1/{type}", IDENTIFY).json == {"success": True}
    assert keyed.send(f"/v1/{type}/", {"type": None, "userId": "bob"}).json == {"success": True}
    assert keyed.send(f"/v1/{type}", b"{}").json == {"success": True}
    stored = [json.loads(body) for body in keyed.line.bodies()]
    assert stored == [{"type": type, **IDENTIFY}, {"type": type, "userId": "bob"}]


@ONE_DATABASE
def test_an_event_that_says_its_type_is_kept_to_the_byte(keyed):
    """The path adds what is missing and changes nothing that was told."""
    body = b'{ "type" : "identify",\t"userId":"ada", "a":1.50, "a":2 }'
    assert keyed.send("/v1/track", body).status == 200
    assert keyed.line.bodies() == [body]


@ONE_DATABASE
@pytest.mark.parametrize("path", ["/v1/batch", "/v1/import", "/v1/import/", "/v1/identify"])
def test_the_key_may_stand_in_the_body(keyed, path):
    """Some senders know no headers; the key is a secret, so it is not stored with the event."""
    one = {"writeKey": keyed.key, "type": "identify", **IDENTIFY}
    batch = {"batch": [{"type": "identify", "userId": "bob"}], "writeKey": keyed.key}
    lenient = (
        b'{"type":"identify","userId":"c","x":NaN,"writeKey":"%s","y":{"writeKey":1}}' % keyed.key.encode()
    )
    for body in (one, batch, lenient):
        assert keyed.send(path, body, key=None).json == {"success": True}
    assert keyed.send(path, {**batch, "writeKey": "another's"}).status == 200, "the header goes first"
    keyed.line.drain()
    ada, bob, c = keyed.line.bodies()
    assert json.loads(ada) == {"type": "identify", **IDENTIFY}
    assert json.loads(bob) == {"type": "identify", "userId": "bob"}
    assert c == b'{"type":"identify","userId":"c","x":NaN,"y":{"writeKey":1}}'


@ONE_DATABASE
def test_a_password_and_the_case_of_the_scheme_do_not_matter(keyed):
    """The key is the user name; what stands behind the colon is nothing to us."""
    header = basic(keyed.key, "anything:at all").replace("Basic", "basic")
    assert keyed.send("/v1/identify", IDENTIFY, key=None, HTTP_AUTHORIZATION=header).status == 200


@ONE_DATABASE
@pytest.mark.parametrize(
    "header", [None, "", "Basic", "Basic !!!", "Basic " + "A" * 7, "Bearer x", basic(""), basic("nobody's")]
)
def test_who_has_no_key_is_told_401_in_the_libraries_words(keyed, header):
    """A library takes `code` and `message` out of the answer and gives up, instead of trying for minutes."""
    for body in (IDENTIFY, {"batch": [IDENTIFY], "writeKey": "nobody's"}, {"writeKey": 7}, {"writeKey": ""}):
        reply = keyed.send("/v1/batch", body, key=None, HTTP_AUTHORIZATION=header)
        assert (reply.status, reply.json) == (401, NOT_LET_IN)
        assert reply.headers["WWW-Authenticate"].startswith("Basic")
    assert keyed.line.bodies() == []
    assert keyed.line.rejections() == {}


@ONE_DATABASE
def test_neither_secret_opens_the_others_door(keyed):
    """A key that leaked from a server opens no webhook URL, and the other way about."""
    assert keyed.send("/v1/identify", IDENTIFY, key=keyed.line.token).status == 401
    assert keyed.line.post(IDENTIFY, token=keyed.key).status == 403
    assert keyed.line.bodies() == []


@ONE_DATABASE
@pytest.mark.parametrize("type", ["text/plain", "application/json", "application/octet-stream", None])
def test_packed_batches_are_unpacked_under_any_content_type(keyed, type):
    """Libraries pack, and some call the result plain text."""
    body = gzip.compress(json.dumps({"batch": [IDENTIFY]}).encode())
    headers = {"HTTP_CONTENT_ENCODING": "gzip", "CONTENT_TYPE": type}
    assert keyed.send("/v1/batch", body, **headers).json == {"success": True}
    assert len(keyed.line.bodies()) == 1


@ONE_DATABASE
@pytest.mark.parametrize("name", LET_IN)
def test_what_a_webhook_lets_in_a_batch_path_lets_in(keyed, name):
    """The same bytes are stored, whatever the door."""
    body, events = LET_IN[name]
    reply = keyed.send("/v1/batch", body)
    assert (reply.status, reply.json) == (200, {"success": True})
    assert keyed.line.bodies() == events


@ONE_DATABASE
@pytest.mark.parametrize("name", TURNED_AWAY)
def test_what_a_webhook_turns_away_is_turned_away_in_the_libraries_words(keyed, name):
    """Same limits, same status; the reason is counted on the source page."""
    headers, body, status, reason = TURNED_AWAY[name]
    reply = keyed.send("/v1/batch", body, **headers)
    said = reply.json
    assert (reply.status, said["success"]) == (status, False)
    assert said["message"].startswith(reason)
    assert said["code"] == ("too_large" if status == 413 else "invalid_request")
    assert eventually(lambda: [key[0] for key in keyed.line.rejections()] == [status])


@ONE_DATABASE
def test_a_body_that_names_no_key_and_is_no_json_is_400(keyed):
    """There is nobody to count it for; the sender learns what is wrong."""
    for body in (b"rubbish", b'{"writeKey":', b"[1,"):
        assert keyed.send("/v1/batch", body, key=None).status == 400
    assert keyed.line.rejections() == {}


@ONE_DATABASE
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_only_post_is_allowed_at_the_libraries_paths(keyed, method):
    """Nothing else has a meaning there."""
    reply = keyed.line.call(method, "/v1/batch", b"{}")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


@ONE_DATABASE
@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v1/customers",
        "/v1/ping",
        "/v1/import/customers",
        "/v1/batches",
        "/v2/batch",
        "/v1/batch/x",
    ],
)
def test_every_other_path_of_the_same_beginning_goes_behind(keyed, path):
    """The API for customers lives under the same beginning; its calls are not ours."""
    assert keyed.send(path, {}).status == 418


def test_a_paused_source_keeps_or_refuses_for_libraries_too(keyed):
    """A pause is of the source, not of one of its doors."""
    keyed.line.set(pause="keep")
    assert keyed.send("/v1/identify", IDENTIFY).json == {"success": True}
    assert keyed.line.rung == []
    keyed.line.set(pause="refuse")
    reply = keyed.send("/v1/identify", {"userId": "bob"})
    assert (reply.status, reply.json["code"]) == (503, "unavailable")
    assert int(reply.headers["Retry-After"]) > 0
    keyed.line.set(pause="")
    assert keyed.send("/v1/identify", {"userId": "c"}).status == 200
    assert len(keyed.line.bodies()) == 2


def test_a_replaced_key_lives_through_its_grace_and_is_counted(keyed):
    """The old key works until it ends; calls with it are counted; the webhook URL knows nothing of it."""
    new = keyed.replace(grace=3600)
    assert keyed.send("/v1/identify", {"userId": "old"}).status == 200
    assert keyed.send("/v1/identify", {"userId": "new"}, key=new).status == 200
    assert eventually(lambda: keyed.row().late_calls == 1)
    keyed.key = new
    newest = keyed.replace()
    for body in (IDENTIFY, b"rubbish", {"batch": []}):
        assert keyed.send("/v1/batch", body).status == 401
    assert eventually(lambda: keyed.row().late_calls == 3)
    reasons = {(401, NOT_LET_IN["message"]): 3}
    assert eventually(lambda: keyed.line.rejections() == reasons)
    assert keyed.send("/v1/identify", {"userId": "newest"}, key=newest).status == 200
    assert keyed.line.post({"a": 1}).status == 200
    assert keyed.line.url().replaced_at is None


def test_the_same_event_by_webhook_and_by_library_is_one(keyed):
    """A workspace that moves from one to the other counts nobody twice."""
    assert keyed.line.post({"type": "identify", **IDENTIFY}).status == 200
    assert (
        keyed.send("/v1/identify", {**IDENTIFY, "writeKey": keyed.key, "sentAt": "2026-01-01"}).status == 200
    )
    assert keyed.line.drain().duplicates == 1
    assert len(keyed.line.bodies()) == 1
    assert keyed.line.tally() == (2, 1)


def test_a_deleted_source_lets_no_library_in(keyed):
    """From the moment of deletion, though the key was good a moment ago."""
    assert keyed.send("/v1/identify", IDENTIFY).status == 200
    keyed.line.set(state="deleting")
    assert keyed.send("/v1/identify", {"userId": "bob"}).status == 401
    assert len(keyed.line.bodies()) == 1
