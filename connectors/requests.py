"""The only HTTP client code. It tells a request that was never sent from one whose outcome is unknown.

What is asked for is what is sent: the path and the body byte by byte, once, and only to the venue itself.
"""

from __future__ import annotations

from enum import Enum, auto
from types import TracebackType

import aiohttp
from yarl import URL

from connectors.contract import REPLY_PATIENCE_NS, Reply
from connectors.trading import Call

TOTAL_PATIENCE_S = REPLY_PATIENCE_NS // 10**9
CONNECT_PATIENCE_S = 5


class NoAnswer(Enum):
    """What is known of a request to which no answer came."""

    NOT_SENT = auto()
    """It never left: it may be tried again."""
    OUTCOME_UNKNOWN = auto()
    """It may have been carried out."""


class ConnectionLost(aiohttp.ClientConnectionError):
    """The connection ended while a request was on it."""


NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)


class Requests:
    """Requests to one venue. Create and close it inside the event loop."""

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")
        self._client = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TOTAL_PATIENCE_S, sock_connect=CONNECT_PATIENCE_S),
            auto_decompress=True,
            skip_auto_headers=("Content-Type",),
            middlewares=(_once,),
        )

    async def get(self, path: str) -> Reply:
        """GET a path with its query. A reply of status 0 says in its body why no answer came."""
        return await self.send(Call("GET", path))

    async def send(self, call: Call) -> Reply:
        """Any request, once. A redirect is a reply like any other: it is not followed. See `Reply` for status 0."""
        url = self._root + call.path
        try:
            async with self._client.request(
                call.method,
                URL(url, encoded=True),  # a path that is signed must not be written in another way
                data=call.body or None,
                headers=call.headers,
                allow_redirects=False,
            ) as response:
                body = await response.read()
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(url, response.status, body, headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            no_answer = outcome(error)
            text = f"{no_answer.name.lower()}: {_described(error)}"
            return Reply(url, 0, text.encode(), was_sent=no_answer is not NoAnswer.NOT_SENT)

    async def close(self) -> None:
        await self._client.close()

    async def __aenter__(self) -> Requests:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def outcome(error: BaseException) -> NoAnswer:
    """A connection that was never made carried nothing; after that, nobody knows."""
    return NoAnswer.NOT_SENT if isinstance(error, NEVER_CONNECTED) else NoAnswer.OUTCOME_UNKNOWN


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """The library sends what it holds for repeatable a second time when a connection that it had kept has been closed
    by the other side. By this error it does not, so that what failed is known to have been the only attempt."""
    try:
        return await send(request)
    except NEVER_CONNECTED:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionLost(f"{type(error).__name__}: {error}") from error


def _described(error: BaseException) -> str:
    """Without the URL, which may be signed."""
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return type(error).__name__
    return f"{type(error).__name__}: {error}"
