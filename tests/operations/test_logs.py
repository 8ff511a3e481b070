"""Logs tell what happened, and nothing that a stranger may not know."""

import io
import json
import logging

import pytest
import structlog

from webapp import logs


@pytest.fixture
def lines():
    """What is logged in this test, line by line, read."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object(lines):
    """Machines read logs first."""
    structlog.get_logger().info("worker.started", queue="events")
    [line] = lines()
    assert (line["event"], line["level"], line["queue"]) == ("worker.started", "info", "events")
    assert line["timestamp"].endswith("Z")


def test_lines_of_libraries_look_the_same(lines):
    """One format for all that a process says."""
    logging.getLogger("some.library").warning("nothing on port %d", 6379)
    [line] = lines()
    assert (line["event"], line["level"]) == ("nothing on port 6379", "warning")


@pytest.mark.parametrize("log", ["ours", "theirs"])
def test_an_error_is_logged_as_its_kind_and_its_places(lines, log):
    """The text of an error may quote an e-mail address; where it happened cannot."""

    def fails():
        raise ValueError("invalid address ada@example.com")

    try:
        fails()
    except ValueError:
        if log == "ours":
            structlog.get_logger().exception("task.failed", id=3)
        else:
            logging.getLogger("library").exception("it failed")
    [line] = lines()
    assert line["error"] == "ValueError"
    assert line["places"][-1].endswith(" fails")
    assert "ada@example.com" not in json.dumps(line)


def test_a_traceback_inside_a_message_is_cut_off(lines):
    """RQ writes tracebacks into its messages, with the texts of errors."""
    logging.getLogger("rq.worker").error(
        "Worker %s: exception\n%s", "w1", "Traceback (most recent call last):\n  ValueError: ada@example.com"
    )
    assert [line["event"] for line in lines()] == ["Worker w1: exception"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("POST /webhooks/segment/s3cret-Token_1/ 403", "POST /webhooks/segment/.../ 403"),
        ("https://t.example/webhooks/segment/s3cret?x=1", "https://t.example/webhooks/segment/...?x=1"),
        ("GET /setup/s3cret", "GET /setup/..."),
        ("postgresql://tributary:s3cret@db/x", "postgresql://tributary:...@db/x"),
        ("redis://:s3cret@queue:6379", "redis://:...@queue:6379"),
    ],
)
def test_secrets_in_addresses_never_reach_a_log(lines, text, kept):
    """Even what some library logs by itself loses its secret on the way."""
    structlog.get_logger().info("said", where=text, more=[text], deep={"a": (text,)})
    logging.getLogger("library").warning("went to %s", text)
    logged = json.dumps(lines())
    assert "s3cret" not in logged
    assert lines()[0]["where"] == kept
