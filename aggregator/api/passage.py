"""What every request passes on its way to its route, and every answer on its way back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter

from aiohttp import web

from aggregator.api.headers import Heads
from aggregator.api.limits import Limits
from aggregator.api.meters import UNKNOWN, Meters
from aggregator.api.problems import Code, Problem, problem_of

Onward = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Passage:
    """The only middleware: holds the limits, makes problems of errors, and counts."""

    def __init__(self, limits: Limits, heads: Heads, meters: Meters) -> None:
        self._limits = limits
        self._heads = heads
        self._meters = meters

    @web.middleware
    async def lead(self, request: web.Request, handler: Onward) -> web.StreamResponse:
        begin = perf_counter()
        status, sent = 500, 0
        try:
            response = await self._answer(request, handler)
            status = response.status
            sent = (response.content_length or 0) if isinstance(response, web.Response) else 0
            return response
        finally:
            received = request.content_length or 0 if request.body_exists else 0
            self._meters.answered(_template(request), request.method, status, perf_counter() - begin, received, sent)

    async def _answer(self, request: web.Request, handler: Onward) -> web.StreamResponse:
        try:
            self._refuse_long(request)
            preflight = self._heads.preflight(request) if request.method == "OPTIONS" else None
            if preflight is not None:
                return preflight
            if request.can_read_body:
                await self._read(request)
            return await handler(request)
        except Problem as problem:
            told = problem
        except web.HTTPError as error:
            told = problem_of(error)
        self._meters.told_problem(told.code)
        response = told.response()
        if not request.content.is_eof():
            response.force_close()
        return response

    def _refuse_long(self, request: web.Request) -> None:
        length = len(request.raw_path)
        if length > self._limits.uri:
            detail = f"the path with its query has {length} characters; at most {self._limits.uri} are read"
            raise Problem(414, Code.URI_TOO_LONG, "too long", detail)

    async def _read(self, request: web.Request) -> None:
        """The body, once, for whoever asks for it after this."""
        try:
            async with asyncio.timeout(self._limits.body_s):
                await request.read()
        except TimeoutError:
            detail = f"the body was not whole {self._limits.body_s:g} s after its head; send it at once"
            raise Problem(408, Code.REQUEST_TOO_SLOW, "too slow", detail) from None
        except web.HTTPRequestEntityTooLarge:
            detail = f"the body has more than {self._limits.body} bytes; send less"
            raise Problem(413, Code.BODY_TOO_LARGE, "body too large", detail) from None


def _template(request: web.Request) -> str:
    """The route as the table writes it: what stands in its braces is no label."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else UNKNOWN
