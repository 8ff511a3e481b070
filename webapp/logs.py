"""Logs: one JSON object a line, on standard error, without secrets and without what people told.

An error is logged as its kind and the places it passed, never with its text, which may quote a value; and any
one-time or webhook URL that finds its way into a line loses its secret.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRET_PATHS = re.compile(r"(/(?:webhooks/segment|setup|invitations|links|join)/)[^\s\"'/?#]+")
_PASSWORDS = re.compile(r"(://[^\s:/@]*:)[^\s@/]+@")
_FRAMES = 12


def configure(stream: TextIO | None = None, level: int = logging.INFO, is_program: bool = False) -> None:
    """Send what this process logs, its libraries' lines included, to a stream.

    Args:
        stream: standard error unless given.
        level: the least level that is written.
        is_program: whether this process is one of ours from its beginning, whose end by an error is a line
            of the log too. Who typed a command reads its traceback instead.
    """
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_texts_of_errors,
        _without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder([]), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    threading.excepthook = _thread_failed
    if is_program:
        sys.excepthook = _program_failed
    # Their lines at these levels say only that a job came and went, or a request.
    for chatty in ("rq.worker", "rq.job", "rq.queue", "werkzeug", "alembic", "_granian"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def _program_failed(kind: type[BaseException], error: BaseException, passed: TracebackType | None) -> None:
    if isinstance(error, Exception):
        structlog.get_logger().error("program.failed", exc_info=error)
    else:  # somebody's Ctrl-C
        sys.__excepthook__(kind, error, passed)


def _thread_failed(told: threading.ExceptHookArgs) -> None:
    if not isinstance(told.exc_value, SystemExit):
        structlog.get_logger().error("thread.failed", exc_info=told.exc_value)


def places(error_traceback: TracebackType | None) -> list[str]:
    """Where an error passed, innermost last: `file:line function`, without any value."""
    frames = traceback.extract_tb(error_traceback)[-_FRAMES:]
    return [f"{'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}" for frame in frames]


def _without_texts_of_errors(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    found = fields.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    if isinstance(found, BaseException):
        found = (type(found), found, found.__traceback__)
    if isinstance(found, tuple) and found[0] is not None:
        fields["error"] = found[0].__name__
        fields["places"] = places(found[2])
    # RQ and others format a traceback, text and all, into the message itself.
    message = str(fields.get("event", ""))
    if "Traceback (most recent call last)" in message:
        fields["event"] = message.split("\n", 1)[0]
    fields.pop("exception", None)
    fields.pop("stack_info", None)
    return fields


def _without_secrets(_logger: WrappedLogger, _method: str, fields: EventDict) -> EventDict:
    return {key: _clean(value) for key, value in fields.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _PASSWORDS.sub(r"\1...@", _SECRET_PATHS.sub(r"\1...", value))
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    return value
