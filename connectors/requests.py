"""The only HTTP client code. It tells a request that was never sent from one whose outcome is unknown."""

from __future__ import annotations

from enum import Enum, auto
from types import TracebackType

import aiohttp

from connectors.contract import Reply

TOTAL_PATIENCE_S = 10
CONNECT_PATIENCE_S = 5


class NoAnswer(Enum):
    """What is known of a request to which no answer came."""

    NOT_SENT = auto()
    """It never left: it may be tried again."""
    OUTCOME_UNKNOWN = auto()
    """It may have been carried out."""


class Requests:
    """Requests to one venue. Create and close it inside the event loop."""

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/")
        self._client = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TOTAL_PATIENCE_S, sock_connect=CONNECT_PATIENCE_S),
            auto_decompress=True,
        )

    async def get(self, path: str) -> Reply:
        """GET a path with its query. A reply of status 0 says in its body why no answer came."""
        url = self._root + path
        try:
            async with self._client.get(url) as response:
                body = await response.read()
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Reply(url, response.status, body, headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Reply(url, 0, f"{outcome(error).name.lower()}: {type(error).__name__}: {error}".encode())

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
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
        return NoAnswer.NOT_SENT
    return NoAnswer.OUTCOME_UNKNOWN
