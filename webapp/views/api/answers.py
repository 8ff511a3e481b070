"""What the API says back: JSON, also when something went wrong, as ChartMogul's clients know it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, request

from webapp.database import json_dumps

SENTENCES = {
    400: "This request cannot be read.",
    401: "No valid API key provided",
    403: "This key may read only. Use one that may read and write.",
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "The body is larger than 1 MiB. Nothing was changed. Send it in parts.",
    422: "The request was understood, but cannot be carried out. Nothing was changed.",
    429: "Your request rate has exceeded our rate limit. Nothing was changed. Try again after Retry-After.",
    500: "Something went wrong here. What was not answered as done was not done.",
    503: "The database is busy or away. Nothing was changed. Try again after Retry-After.",
}


class ApiError(Exception):
    """A call that cannot be carried out.

    Attributes:
        status: of the answer.
        message: what happened and what to do, for who reads the caller's log.
        param: the parameter or field that it is about.
        errors: by field, what is wrong with it.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str | None = None,
        param: str | None = None,
        errors: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.errors = errors
        self.headers = headers or {}


def invalid(**errors: str) -> ApiError:
    """A 422 that says which fields are wrong, and how."""
    return ApiError(422, errors=errors)


def missing(what: str, param: str | None = None) -> ApiError:
    """A 404: `Customer not found`."""
    return ApiError(404, f"{what} not found", param)


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON; decimals stay numbers with their digits."""
    return Response(json_dumps(value), status, mimetype="application/json")


def nothing() -> Response:
    """204: it is done, and there is nothing to say."""
    return Response(status=204)


def refusal(error: ApiError) -> Response:
    """The body of an error: `{"code": 404, "message": ..., "param": ..., "errors": {field: sentence}}`."""
    told = dict(error.errors or {})
    if told and error.param is None:
        error.param = next(iter(told))
    message = error.message or (" ".join(told.values()) or _sentence(error.status))
    body: dict[str, Any] = {"code": error.status, "message": message, "param": error.param}
    response = answer(body | ({"errors": told} if told else {}), error.status)
    response.headers.update(error.headers)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="API", charset="UTF-8"'
    return response


def of_the_api() -> bool:
    """Whether this request is one to the API, whatever its path leads to."""
    return request.path == "/v1" or request.path.startswith("/v1/")


def _sentence(status: int) -> str:
    return SENTENCES.get(status) or HTTPStatus(status).phrase
