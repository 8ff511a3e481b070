"""The same stream, whoever sends it and however: the exports are the same to the byte, uuids aside."""

from __future__ import annotations

import http.client
import json
import random
import re
import threading
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from tests.conftest import LiveServer
from tests.projection import support
from webapp.models import Event

DATA = Path(__file__).parents[1] / "data"
UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def stream() -> list[bytes]:
    """All calls of the made-up workspace, some of them twice already."""
    return (DATA / "segment-spec-events.ndjson").read_bytes().splitlines()


def add_source(app: Flask, name: str) -> tuple[str, str]:
    """A source's public id and the path of its webhook."""
    result = app.test_cli_runner().invoke(args=["source", "add", "--name", name, "--policy", "user"])
    assert result.exit_code == 0, result.output
    added = json.loads(result.output)
    return added["id"], "/" + added["webhook_url"].split("/", 3)[3]


def send(server: LiveServer, path: str, bodies: Iterable[bytes]) -> None:
    """Post some bodies over one connection; each must be accepted."""
    host = server.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    for body in bodies:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
    connection.close()


def in_batches(events: Sequence[bytes], size: int) -> list[bytes]:
    """Bodies of so many events each."""
    if size == 1:
        return list(events)
    iterator = iter(events)
    batches = iter(lambda: list(islice(iterator, size)), [])
    return [b'{"batch": [' + b",".join(batch) + b"]}" for batch in batches]


def send_at_once(server: LiveServer, path: str, bodies: Sequence[bytes], senders: int) -> None:
    """Post bodies over several connections at once."""
    failures: list[BaseException] = []

    def work(mine: Sequence[bytes]) -> None:
        try:
            send(server, path, mine)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(bodies[n::senders],)) for n in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def exported(app: Flask, engine: Engine, tmp_path: Path, public_id: str) -> dict[str, bytes]:
    """The two files of an export after `drain`, without their uuids."""
    runner = app.test_cli_runner()
    assert runner.invoke(args=["drain"]).exit_code == 0
    folder = tmp_path / public_id
    result = runner.invoke(args=["source", "export", public_id, "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return {file.name: UUID.sub(b"uuid", file.read_bytes()) for file in folder.iterdir()}


@pytest.mark.parametrize(("batch", "senders"), [(1, 1), (1, 8), (500, 1), (37, 8)])
def test_a_stream_shuffled_and_doubled_gives_the_same_exports_to_the_byte(
    app: Flask,
    engine: Engine,
    live_server: LiveServer,
    tmp_path: Path,
    stream: list[bytes],
    batch: int,
    senders: int,
) -> None:
    """Also in batches, and by eight senders at once."""
    straight, straight_path = add_source(app, "Straight")
    send(live_server, straight_path, in_batches(stream, 100))
    shuffled, shuffled_path = add_source(app, "Shuffled")
    doubled = stream + stream
    random.Random(f"{batch} {senders}").shuffle(doubled)
    send_at_once(live_server, shuffled_path, in_batches(doubled, batch), senders)
    expected = exported(app, engine, tmp_path, straight)
    assert exported(app, engine, tmp_path, shuffled) == expected
    assert len(expected["customers.csv"].splitlines()) > 17
    assert support.count_rows(engine, Event) == 2 * len(set(stream))
