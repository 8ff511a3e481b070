"""The real web server, ended in the middle of its work."""

import http.client
import json
import os
import signal
import socket
import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from sqlalchemy import select

from tests import factories, programs
from tests.conftest import environment_of, free_port
from tests.webhook.conftest import add_url, eventually
from webapp.database import begin
from webapp.models import Event, Source


@pytest.fixture
def token(engine):
    """A source's token."""
    with begin(engine) as connection:
        return add_url(connection, factories.source(connection))


@pytest.fixture
def serving(settings):
    """The web server in a process group of its own: its settings, and the program."""
    settings = replace(settings, port=free_port(), testing=False)
    program = programs.start(["jobs.web"], environment_of(settings), settings.data_dir / "web.log")
    assert eventually(lambda: answers(settings.port), 30)
    yield settings, program
    program.kill()


def answers(port):
    """Whether something listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(port, method, path, body, **options):
    """One request on a connection of its own: the status and the body of the answer."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=15)) as connection:
        connection.request(method, path, body, **options)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_what_was_acknowledged_survives_a_kill(serving, engine, token):
    """200 means on disk, even when the server dies at that moment; and a body is whole or absent."""
    settings, process = serving
    acknowledged: list[str] = []

    def sender(name):
        connection = http.client.HTTPConnection("127.0.0.1", settings.port, timeout=5)
        try:
            for turn in range(100_000):
                names = [f"{name}-{turn}-{part}" for part in range(3)]
                body = json.dumps([{"messageId": each} for each in names])
                connection.request("POST", f"/webhooks/segment/{token}", body)
                if json.loads(connection.getresponse().read()) == {"received": 3}:
                    acknowledged.extend(names)
        except (OSError, http.client.HTTPException, ValueError):
            return
        finally:
            connection.close()

    threads = [threading.Thread(target=sender, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(acknowledged) > 300, 20)
    os.killpg(process.pid, signal.SIGKILL)
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        stored = {json.loads(body)["messageId"] for body in connection.scalars(select(Event.body))}
    assert set(acknowledged) <= stored
    assert all(
        {f"{call}-{part}" for part in range(3)} <= stored for call in {n.rpartition("-")[0] for n in stored}
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_request_in_flight_is_finished_when_the_server_is_told_to_stop(serving, engine, token):
    """An orderly stop loses nothing and answers whom it has begun to serve."""
    settings, process = serving
    statuses = []

    def sender():
        statuses.append(ask(settings.port, "POST", f"/webhooks/segment/{token}", b'{"a":1}')[0])

    with begin(engine):  # holds the write lock, so the request has to wait
        thread = threading.Thread(target=sender)
        thread.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
    thread.join()
    assert statuses == [200]
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_was_to_be_noted_soon_is_noted_when_the_server_is_told_to_stop(serving, engine, token):
    """A source whose first event came just before does not go on saying that it waits for one."""
    settings, process = serving
    with begin(engine) as connection:
        other = add_url(connection, factories.source(connection, "Other"))
    for opened in (other, token):  # the second within the moment in which nothing is noted again
        assert ask(settings.port, "POST", f"/webhooks/segment/{opened}", b'{"a":1}')[0] == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0
    with engine.connect() as reading:
        assert None not in list(reading.scalars(select(Source.first_event_at)))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_bodies_that_are_chunked_cut_or_too_long_on_a_real_socket(serving, engine, token):
    """What a test's environment says, the real server says too."""
    settings, _ = serving
    path = f"/webhooks/segment/{token}"
    pieces = iter([b'{"chu', b'nked":1}'])
    assert ask(settings.port, "POST", path, pieces, encode_chunked=True) == (200, b'{"received": 1}')
    with socket.create_connection(("127.0.0.1", settings.port), timeout=10) as cut:
        cut.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n".encode() + b'{"cut":1}')
    with socket.create_connection(("127.0.0.1", settings.port), timeout=10) as cut:
        cut.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        cut.sendall(b'8\r\n{"cut":2\r\n')
    with socket.create_connection(("127.0.0.1", settings.port), timeout=10) as long:
        long.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n".encode())
        assert b" 413 " in long.recv(200)
    assert ask(settings.port, "POST", path + "/", b'{"after":1}') == (200, b'{"received": 1}')
    with engine.connect() as reading:
        assert list(reading.scalars(select(Event.body))) == [b'{"chunked":1}', b'{"after":1}']


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_that_the_server_prints_holds_a_token(serving, token):
    """A log may be read by more people than may post."""
    settings, process = serving
    for method, path in (("POST", ""), ("GET", ""), ("POST", "/more"), ("POST", "/")):
        ask(settings.port, method, f"/webhooks/segment/{token}{path}", b"rubbish")
    process.stop()
    assert token not in process.log.read_text()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_slow_senders_that_name_no_secret_do_not_keep_those_out_that_do(serving, token):
    """Where only the body says who calls, anybody may hold a place; so these have few of their own."""
    settings, _ = serving
    slow = []
    try:
        for _ in range(60):
            connection = socket.create_connection(("127.0.0.1", settings.port), timeout=10)
            connection.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            slow.append(connection)
        time.sleep(0.5)
        assert ask(settings.port, "POST", f"/webhooks/segment/{token}", b'{"a":1}')[0] == 200
        assert ask(settings.port, "POST", "/v1/batch", b'{"batch":[]}')[0] == 503
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_slow_senders_do_not_take_all_threads(serving, token):
    """A hundred connections that never finish their bodies leave the pages and the health check alone."""
    settings, _ = serving
    slow = []
    try:
        for path in ["/sign-in"] * 40 + [f"/webhooks/segment/{token}"] * 60:
            connection = socket.create_connection(("127.0.0.1", settings.port), timeout=10)
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
            slow.append(connection)
        time.sleep(0.5)
        assert ask(settings.port, "GET", "/healthz", None)[0] == 200
        assert ask(settings.port, "POST", f"/webhooks/segment/{token}", b'{"a":1}')[0] == 503
        assert ask(settings.port, "GET", "/healthz", None)[0] == 200
    finally:
        for connection in slow:
            connection.close()
    assert eventually(
        lambda: ask(settings.port, "POST", f"/webhooks/segment/{token}", b'{"a":1}')[0] == 200, 10
    )
