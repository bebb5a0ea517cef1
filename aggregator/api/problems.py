"""Errors as RFC 9457 problem documents: what happened, and what would be right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import StrEnum

import msgspec
from aiohttp import web

JSON = msgspec.json.Encoder()


class Code(StrEnum):
    """Stable codes: programs may switch on them."""

    UNKNOWN_ROUTE = "unknown_route"
    UNKNOWN_INSTRUMENT = "unknown_instrument"
    UNKNOWN_VENUE = "unknown_venue"
    BAD_PARAMETER = "bad_parameter"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    BAD_REQUEST = "bad_request"


class Problem(Exception):
    """Raised by a handler; answered as `application/problem+json`. `detail` names the remedy."""

    def __init__(self, status: int, code: Code, title: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail

    def response(self) -> web.Response:
        body = {
            "type": f"urn:aggregator:{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code.value,
            "detail": self.detail,
        }
        return web.Response(status=self.status, body=JSON.encode(body), content_type="application/problem+json")


_OF_STATUS = {
    404: (
        Code.UNKNOWN_ROUTE,
        "no such route",
        "see README for the routes; all but /health, /ready and /metrics are under /v1",
    ),
    405: (Code.METHOD_NOT_ALLOWED, "method not allowed", "this route takes other methods; the Allow header names them"),
    413: (Code.BODY_TOO_LARGE, "body too large", "send less"),
}


@web.middleware
async def as_problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every error leaves as a problem document, aiohttp's own included."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPError as error:
        default = (Code.BAD_REQUEST, error.reason, "the request could not be understood")
        code, title, detail = _OF_STATUS.get(error.status, default)
        response = Problem(error.status, code, title, detail).response()
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
