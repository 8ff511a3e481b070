"""Calls signed with a shared secret, as Segment's Webhooks destination signs them."""

import gzip
import hashlib
import hmac
import json

import pytest

from tests.webhook.conftest import eventually
from webapp.domain.signatures import is_signed
from webapp.services import tokens
from webapp.webhook import reading

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SECRET = "a shared secret, ünd more"
ONE = b'{"type":"identify","userId":"ada"}'
TWO = b'{"type":"identify","userId":"bob","a":1.50}'


def signature(text: bytes, secret: str = SECRET) -> str:
    """What `X-Signature` says of a text."""
    return hmac.new(secret.encode(), text, hashlib.sha1).hexdigest()


def ask_for_signatures(line, secret=SECRET, key=None):
    """Have a source take signed calls only."""
    line.set(signing_sealed=tokens.seal(key or line.settings.secret_key, secret))


def test_a_signed_call_is_taken_and_any_other_refused_and_counted(keyed):
    """Who has the URL alone can send nothing; the source page says how many tried."""
    line = keyed.line
    ask_for_signatures(line)
    assert line.post(ONE, HTTP_X_SIGNATURE=signature(ONE)).json == {"received": 1}
    missing = line.post(TWO)
    assert (missing.status, missing.message) == (401, reading.UNSIGNED)
    for wrong in (signature(ONE), signature(TWO, "another secret"), "x", "ü", signature(TWO)[:-1]):
        reply = line.post(TWO, HTTP_X_SIGNATURE=wrong)
        assert (reply.status, reply.message) == (401, reading.WRONGLY_SIGNED)
    assert line.bodies() == [ONE]
    counted = {(401, reading.UNSIGNED): 1, (401, reading.WRONGLY_SIGNED): 5}
    assert eventually(lambda: line.rejections() == counted)


@ONE_DATABASE
@pytest.mark.parametrize(
    ("body", "signed"),
    [
        (ONE, ONE),
        (b" " + ONE + b"\n", ONE),
        (b" " + ONE + b"\n", b" " + ONE + b"\n"),
        (b"[" + ONE + b"," + TWO + b"]", ONE),
        (b"[" + ONE + b"," + TWO + b"]", b"[" + ONE + b"," + TWO + b"]"),
        (b"[ " + TWO + b" , " + ONE + b"]", TWO),
        (b'{"batch":[' + ONE + b"]}", b'{"batch":[' + ONE + b"]}"),
        (b"{}", b"{}"),
        (b"[]", b"[]"),
    ],
)
def test_the_body_or_its_first_event_is_what_is_signed(keyed, body, signed):
    """Segment signs one event whole, and of an array the first event as it stands there."""
    ask_for_signatures(keyed.line)
    assert keyed.line.post(body, HTTP_X_SIGNATURE=signature(signed).upper()).status == 200
    packed = gzip.compress(body)
    headers = {"HTTP_X_SIGNATURE": signature(signed), "HTTP_CONTENT_ENCODING": "gzip"}
    assert keyed.line.post(packed, **headers).status == 200


@ONE_DATABASE
def test_the_second_event_of_an_array_signs_nothing(keyed):
    """Only the first is ever signed."""
    ask_for_signatures(keyed.line)
    body = b"[" + ONE + b"," + TWO + b"]"
    assert keyed.line.post(body, HTTP_X_SIGNATURE=signature(TWO)).status == 401


@ONE_DATABASE
def test_a_source_that_asks_for_none_looks_at_no_signature(keyed):
    """A destination that signs already can be switched on here later, without a lost call between."""
    assert keyed.line.post(ONE, HTTP_X_SIGNATURE="nonsense").status == 200


def test_another_secret_counts_from_the_moment_it_is_saved(keyed):
    """What was checked a moment ago is checked again where the event is stored."""
    line = keyed.line
    assert line.post({"n": 1}).status == 200
    ask_for_signatures(line)
    assert line.post({"n": 2}).status == 401
    body = json.dumps({"n": 3}).encode()
    assert line.post(body, HTTP_X_SIGNATURE=signature(body)).status == 200
    ask_for_signatures(line, "another secret")
    body = json.dumps({"n": 4}).encode()
    assert line.post(body, HTTP_X_SIGNATURE=signature(body)).status == 401
    assert line.post(body, HTTP_X_SIGNATURE=signature(body, "another secret")).status == 200
    line.set(signing_sealed=None)
    assert line.post({"n": 5}).status == 200
    assert len(line.bodies()) == 4


@ONE_DATABASE
def test_a_write_key_needs_no_signature(keyed):
    """Libraries cannot sign; the key is a secret of its own."""
    ask_for_signatures(keyed.line)
    assert keyed.send("/v1/batch", {"batch": [{"type": "page"}]}).status == 200


@ONE_DATABASE
def test_a_secret_that_cannot_be_unsealed_loses_no_event(keyed):
    """With another secret key nothing can be checked; Segment is asked to come again."""
    ask_for_signatures(keyed.line, key="a key of long ago")
    reply = keyed.line.post(ONE, HTTP_X_SIGNATURE=signature(ONE))
    assert (reply.status, reply.message) == (503, reading.UNVERIFIABLE)
    assert int(reply.headers["Retry-After"]) > 0
    assert eventually(lambda: keyed.line.rejections() == {(503, reading.UNVERIFIABLE): 1})


def test_a_signature_is_compared_whole():
    """Any text may come in the header, and only the right one fits."""
    assert is_signed("s", signature(b"x", "s"), [b"y", b"x"])
    assert is_signed("s", f" {signature(b'x', 's').upper()} ", [b"x"])
    for wrong in ("", "\udcff", "é" * 40, signature(b"x", "t"), signature(b"x", "s") + "0"):
        assert not is_signed("s", wrong, [b"x"])
