"""`flask events send`: what a receiver sees of it, and what it says of the receiver."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from itertools import pairwise

import pytest
from sqlalchemy import func, select

from tests.cli.receiver import Reply, receiving
from tests.conftest import ROOT, environment_of
from webapp.app import create_app
from webapp.config import Settings
from webapp.domain import digests
from webapp.extensions import db
from webapp.models import Contact, Event
from webapp.services import projection, sources, tokens
from webapp.services.post import Address, BadAddress

QUICK = ("--backoff", "0.01")


@pytest.fixture
def commands(tmp_path):
    """The command line of an application that needs no database for this."""
    return create_app(Settings(data_dir=tmp_path, database_url="sqlite://", secret_key="k" * 40))


@pytest.fixture
def archive(tmp_path):
    """A file of so many events, or of these lines."""

    def make(content=3):
        path = tmp_path / "archive.ndjson"
        lines = content
        if isinstance(content, int):
            lines = [json.dumps({"type": "identify", "messageId": str(number)}) for number in range(content)]
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines))
        return path

    return make


def send(app, path, url, *options):
    """Run the command; its result."""
    return app.test_cli_runner().invoke(args=["events", "send", str(path), "--to", url, *QUICK, *options])


def counted(result, name):
    """A number of the report."""
    return int(re.search(rf"^{name}: *([\d,]+)", result.output, re.MULTILINE)[1].replace(",", ""))


def test_each_event_is_one_post_as_segment_makes_it(commands, archive):
    """What arrives is the line of the file, byte for byte, over connections that are kept."""
    path = archive([' {"type": "track", "a": 1.50}\r', "", '{"b": "ü"}'])
    with receiving() as receiver:
        result = send(commands, path, receiver.url, "--connections", "1")
    assert result.exit_code == 0
    assert receiver.bodies == [b'{"type": "track", "a": 1.50}', '{"b": "ü"}'.encode()]
    asked = receiver.requests[0]
    assert (asked.method, asked.path) == ("POST", "/hook?a=1")
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["User-Agent"] == "Segment (Actions)"
    assert len({request.connection for request in receiver.requests}) == 1
    assert counted(result, "Accepted") == 2


@pytest.mark.parametrize("status", [408, 423, 429, 500, 502, 503, 504])
def test_what_may_yet_succeed_is_sent_again(commands, archive, status):
    """A receiver that is overloaded for a moment loses nothing."""
    with receiving(lambda number, _: Reply(status if number <= 2 else 200)) as receiver:
        result = send(commands, archive(1), receiver.url)
    assert result.exit_code == 0
    assert len(receiver.requests) == 3
    assert (counted(result, "Accepted"), counted(result, "Retried")) == (1, 2)
    assert f"2 × status {status}" in result.output


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 415, 422, 307])
def test_what_is_refused_is_dropped_with_its_status(commands, archive, status):
    """Segment never sends again what another 4xx refused; the report says which and how many."""
    with receiving(lambda number, _: Reply(status if number == 2 else 200)) as receiver:
        result = send(commands, archive(3), receiver.url, "--connections", "1")
    assert result.exit_code == 1
    assert len(receiver.requests) == 3
    assert (counted(result, "Accepted"), counted(result, "Dropped")) == (2, 1)
    assert f"1 × status {status} (line 2)" in result.output
    assert result.output.splitlines()[-1] == "Error: 1 of 3 events were not accepted."


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_is_followed_as_a_get_that_carries_no_event(commands, archive, status):
    """To Segment such an event is delivered; to whom it was meant for it is lost, so it counts as dropped."""
    moved = {"Location": "/elsewhere"}
    with receiving(lambda _, asked: Reply(status, moved) if asked.method == "POST" else Reply()) as receiver:
        result = send(commands, archive(1), receiver.url)
    assert [(asked.method, asked.path, asked.body) for asked in receiver.requests][1:] == [
        ("GET", "/elsewhere", b"")
    ]
    assert result.exit_code == 1
    assert (counted(result, "Accepted"), counted(result, "Dropped")) == (0, 1)
    assert f"status {status}, a redirect" in result.output


def test_redirects_in_a_circle_come_to_an_end(commands, archive):
    """A broken receiver cannot keep a sender busy for ever."""
    with receiving(lambda *_: Reply(302, {"Location": "/hook"})) as receiver:
        result = send(commands, archive(1), receiver.url)
    assert counted(result, "Dropped") == 1
    assert len(receiver.requests) == 6


def test_a_slow_answer_is_a_timeout_and_sent_again(commands, archive):
    """An event whose answer did not come may not have arrived."""
    with receiving(lambda number, _: Reply(delay=0.5 if number == 1 else 0)) as receiver:
        result = send(commands, archive(1), receiver.url, "--timeout", "0.1")
    assert result.exit_code == 0
    assert counted(result, "Retried") == 1
    assert "1 × timeout" in result.output


def test_a_broken_connection_is_tried_again(commands, archive):
    """A receiver that restarts in the middle of a request loses nothing."""
    with receiving(lambda number, _: Reply(0 if number <= 2 else 200)) as receiver:
        result = send(commands, archive(1), receiver.url)
    assert result.exit_code == 0
    assert counted(result, "Accepted") == 1
    assert "no connection (closed by the receiver)" in result.output


@pytest.mark.parametrize("as_date", [False, True])
def test_a_receiver_that_asks_for_a_pause_gets_it(commands, archive, as_date):
    """`Retry-After`, in seconds or as a date, goes before the sender's own pauses."""
    after = formatdate(time.time() + 2, usegmt=True) if as_date else "1"
    with receiving(
        lambda number, _: Reply(503, {"Retry-After": after}) if number == 1 else Reply()
    ) as receiver:
        result = send(commands, archive(1), receiver.url)
    assert result.exit_code == 0
    assert receiver.requests[1].at - receiver.requests[0].at >= 0.9


def test_pauses_grow(commands, archive):
    """A receiver in trouble is asked less and less often."""
    with receiving(lambda number, _: Reply(500 if number <= 4 else 200)) as receiver:
        send(commands, archive(1), receiver.url, "--backoff", "0.05")
    times = [request.at for request in receiver.requests]
    pauses = [after - before for before, after in pairwise(times)]
    assert all(pause >= least for pause, least in zip(pauses, (0.025, 0.05, 0.1, 0.2), strict=True))


def test_what_never_succeeds_is_given_up_in_the_end(commands, archive):
    """After the time that was set, the report says what was not delivered and how its last try ended."""
    with receiving(lambda *_: Reply(503)) as receiver:
        result = send(commands, archive(2), receiver.url, "--for", "1s")
    assert result.exit_code == 1
    assert counted(result, "Not delivered") == 2
    assert "2 × status 503 (lines 1, 2)" in result.output
    assert len(receiver.requests) > 4


def test_a_pause_longer_than_the_patience_ends_it_at_once(commands, archive):
    """Nobody waits for a try that would come too late."""
    with receiving(lambda *_: Reply(503, {"Retry-After": "3600"})) as receiver:
        result = send(commands, archive(1), receiver.url, "--for", "1m")
    assert (result.exit_code, len(receiver.requests)) == (1, 1)


def test_nobody_at_home_is_told(commands, archive):
    """A wrong port is said in words."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        result = send(commands, archive(1), url, "--for", "0")
    assert result.exit_code == 1
    assert "no connection (connection refused)" in result.output


def test_one_that_waits_holds_up_nobody(commands, archive):
    """A refused event is put aside, and those behind it are sent meanwhile over the same connection."""
    with receiving(
        lambda number, _: Reply(503, {"Retry-After": "1"}) if number == 1 else Reply()
    ) as receiver:
        result = send(commands, archive(30), receiver.url, "--connections", "1")
    assert counted(result, "Accepted") == 30
    assert json.loads(receiver.bodies[-1])["messageId"] == "0"


@pytest.mark.parametrize("array", [False, True])
def test_batches_are_what_was_asked_for(commands, archive, array):
    """`{"batch": [...]}` or a bare array, the last one shorter; a line that is no event goes alone."""
    path = archive(['{"a": 1}', '{"a": 2}', "no JSON", '{"a": 3}', '[{"a": 4}]', '{"a": NaN}'])
    options = ("--batch", "3", "--connections", "1", *(("--array",) if array else ()))
    with receiving() as receiver:
        result = send(commands, path, receiver.url, *options)
    assert result.exit_code == 0
    opening, end = (b"[", b"]") if array else (b'{"batch":[', b"]}")
    assert receiver.bodies == [
        b"no JSON",
        b'[{"a": 4}]',
        opening + b'{"a": 1},{"a": 2},{"a": 3}' + end,
        opening + b'{"a": NaN}' + end,
    ]
    assert counted(result, "Accepted") == 6


def test_bodies_are_compressed_when_asked(commands, archive):
    """A receiver that inflates gets the same events."""
    with receiving() as receiver:
        send(commands, archive(2), receiver.url, "--gzip", "--connections", "1")
    assert receiver.requests[0].headers["Content-Encoding"] == "gzip"
    assert [json.loads(body)["messageId"] for body in receiver.bodies] == ["0", "1"]


def test_another_order_is_the_same_for_each_seed(commands, archive):
    """A run that found something can be run again; every event is sent as often as asked."""
    orders = []
    for seed in ("7", "7", "8"):
        with receiving() as receiver:
            send(
                commands, archive(20), receiver.url, "--shuffle", seed, "--repeat", "2", "--connections", "1"
            )
        orders.append([json.loads(body)["messageId"] for body in receiver.bodies])
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == sorted([str(number) for number in range(20)] * 2)


def test_connections_work_at_once(commands, archive):
    """None of eight is answered before all eight have sent."""
    eight = threading.Barrier(8)

    def once_all_have_sent(*_):
        eight.wait(timeout=20)
        return Reply()

    with receiving(once_all_have_sent) as receiver:
        send(commands, archive(16), receiver.url, "--connections", "8")
    assert len({request.connection for request in receiver.requests}) == 8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--to", "ftp://x/"], "must begin with http:// or https://"),
        (["--to", "http://x/ y"], "blanks or characters"),
        (["--to", "http://x/", "--for", "soon"], "no length of time"),
        (["--to", "http://x/", "--connections", "0"], "--connections"),
    ],
)
def test_what_cannot_be_sent_is_said_in_one_line(commands, archive, options, said):
    """A script sees a status that is not zero, a person one clear line that never repeats the secret URL."""
    result = commands.test_cli_runner().invoke(args=["events", "send", str(archive(1)), *options])
    assert result.exit_code == 1
    assert said in result.output
    assert len(result.output.splitlines()) == 1


def test_a_missing_file_and_an_empty_one(commands, archive, tmp_path):
    """The first is an error; of the second there is nothing to lose."""
    missing = send(commands, tmp_path / "none.ndjson", "http://127.0.0.1:9/")
    assert missing.exit_code != 0
    assert "does not exist" in missing.output
    assert send(commands, archive(["", " "]), "http://127.0.0.1:9/").exit_code == 0


def test_the_url_may_come_from_standard_input(commands, archive):
    """A secret in an argument can be read by every user of the machine; one on standard input cannot."""
    with receiving() as receiver:
        result = commands.test_cli_runner().invoke(
            args=["events", "send", str(archive(1)), "--to", "-"], input=receiver.url + "\n"
        )
    assert (result.exit_code, len(receiver.requests)) == (0, 1)


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://h/x", ("https", "h", 443, "/x")),
        ("http://[::1]:81", ("http", "::1", 81, "/")),
        ("http://bücher.example/?q=1", ("http", "xn--bcher-kva.example", 80, "/?q=1")),
    ],
)
def test_an_address_is_taken_apart(url, parts):
    """Ports, numbers and names of other alphabets are understood."""
    address = Address.parse(url)
    assert (address.scheme, address.host, address.port, address.target) == parts


def test_an_address_with_an_impossible_port_is_none():
    """A typing error is told before anything is sent."""
    with pytest.raises(BadAddress):
        Address.parse("http://h:99999/")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_control_c_reports_what_was_acknowledged(settings, archive):
    """Whoever stops a long run learns what has arrived, what may have, and what has not been sent."""
    with receiving(lambda number, _: Reply() if number <= 5 else Reply(503)) as receiver:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "flask", "--app", "wsgi", "events", "send", str(archive(8))),
                *("--to", receiver.url, "--connections", "1", "--backoff", "60"),
            ],
            cwd=ROOT,
            env=environment_of(settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 20
        while len(receiver.requests) < 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Accepted:      5" in out
    assert "Sent, but not acknowledged: 3" in out
    assert "3 of 8 events were not accepted." in err


def test_an_archive_sent_to_tributary_is_imported(app, live_server, engine, settings):
    """The whole way: file, sender, webhook, inbox, tables; twice sent counts once."""
    path = ROOT / "tests" / "data" / "segment-destination-bodies.ndjson"
    token = tokens.make_token()
    with app.app_context():
        source_id = sources.add(db.session(), settings, "Sent", "user", token).id
    url = tokens.webhook_url(token, live_server.url)
    options = ("--batch", "50", "--gzip", "--shuffle", "3", "--repeat", "2")
    result = send(app, path, url, *options)
    assert result.exit_code == 0, result.output
    assert counted(result, "Accepted") == 340
    projection.drain(engine, source_id, settings=settings)
    with engine.connect() as connection:
        different = {digests.digest(line) for line in path.read_bytes().splitlines()}
        assert connection.scalar(select(func.count()).select_from(Event)) == len(different)
        assert connection.scalar(select(func.count()).select_from(Contact)) > 50
