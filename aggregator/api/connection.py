"""Connections: how many there may be, and when one that holds the service up is cut off."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from ipaddress import IPv6Address, IPv6Network

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from aggregator.api.headers import DEFAULTS, SERVER
from aggregator.api.limits import Limits
from aggregator.api.meters import UNKNOWN, Meters
from aggregator.api.problems import PROBLEM_MEDIA, RETRY_AFTER_S, Code, Problem

log = logging.getLogger("aggregator.api")


class Door:
    """Makes the protocol of each connection, and counts who is in."""

    def __init__(self, limits: Limits, meters: Meters) -> None:
        self.limits = limits
        self.meters = meters
        self._open: Counter[str] = Counter()

    def admit(self, address: str) -> bool:
        """Whether one more may come from there; it is counted until it has `left`."""
        limits = self.limits
        if self._open.total() >= limits.connections or self._open[address] >= limits.connections_per_address:
            self.meters.refused_connections += 1
            return False
        self._open[address] += 1
        self.meters.open_connections += 1
        return True

    def left(self, address: str) -> None:
        self.meters.open_connections -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def connection(self, server: web.Server) -> Connection:
        return Connection(self, server)


class Connection(web.RequestHandler):
    """One connection. aiohttp closes it when no whole head of a request comes within `idle_s`; what it does not see,
    a client that does not read, is seen here."""

    __slots__ = ("_address", "_cut_off", "_door")

    def __init__(self, door: Door, server: web.Server) -> None:
        limits = door.limits
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # None is what it takes for none
            keepalive_timeout=limits.idle_s,
            max_line_size=limits.header,
            max_field_size=limits.header,
            max_headers=limits.headers,
            lingering_time=limits.lingering_s,
            auto_decompress=False,  # a signature is over what was sent, and a small body must not grow
        )
        self._door = door
        self._address = ""
        self._cut_off: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        address = _network(transport.get_extra_info("peername"))
        if self._door.admit(address):
            self._address = address
            super().connection_made(transport)
        elif isinstance(transport, asyncio.Transport):
            transport.write(_too_many(self._door.limits))
            transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._address:
            self._door.left(self._address)
        self._forgive()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.transport is not None:
            self._cut_off = self._loop.call_later(self._door.limits.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        self._forgive()
        super().resume_writing()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What no route could answer: a request that is not HTTP, or a defect of ours."""
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer is sent already")
        problem = _problem(status, exc, self._door.limits)
        if status >= 500:
            log.error("%s %s failed", request.method, request.path, exc_info=exc)
        else:
            self._door.meters.answered(UNKNOWN, UNKNOWN, problem.status, 0, 0, 0)
        self._door.meters.told_problem(problem.code)
        response = problem.response()
        response.headers.update(DEFAULTS, Server=SERVER)
        response.force_close()
        return response

    def _forgive(self) -> None:
        if self._cut_off is not None:
            self._cut_off.cancel()
            self._cut_off = None


def _network(peer: tuple[str, int] | None) -> str:
    host = peer[0].partition("%")[0] if peer else UNKNOWN
    if ":" not in host:
        return host
    address = IPv6Address(host)
    return str(address.ipv4_mapped or IPv6Network((int(address) >> 64 << 64, 64)))


def _problem(status: int, exc: BaseException | None, limits: Limits) -> Problem:
    if status >= 500:
        detail = (
            "a defect of this service, which its log tells of; what was asked for may have been done, so look first"
        )
        return Problem(status, Code.INTERNAL_ERROR, "internal error", detail)
    if isinstance(exc, LineTooLong):
        detail = f"the request line, or a header, is longer than {limits.header} bytes; send less"
        return Problem(431, Code.HEADERS_TOO_LARGE, "too large", detail)
    return Problem(status, Code.BAD_REQUEST, "not HTTP", "this is not a request that HTTP/1.1 allows; use a client")


def _too_many(limits: Limits) -> bytes:
    """An answer before any request: the client finds it where it waits for its first."""
    detail = f"at most {limits.connections_per_address} connections from one address, {limits.connections} in all; "
    problem = Problem(429, Code.TOO_MANY_CONNECTIONS, "too many connections", f"{detail}use and close what is open")
    body = problem.body()
    head = (
        f"HTTP/1.1 429 Too Many Requests\r\nContent-Type: {PROBLEM_MEDIA}\r\nContent-Length: {len(body)}\r\n"
        f"Retry-After: {RETRY_AFTER_S}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
