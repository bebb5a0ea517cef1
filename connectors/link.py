"""One websocket, pumped: the only websocket client code.

Bytes in, bytes out, and when they came. What they mean is decided elsewhere. The library answers the
protocol's own pings, and sends some itself so that a peer that has silently gone is noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI, WebSocketException

OPEN_PATIENCE_S = 10
CLOSE_PATIENCE_S = 2
PING_EVERY_S = 20
FRAME_AT_MOST = 16 * 1024 * 1024


class Link:
    """Runs from opening to the end. `received` is awaited for each frame: while it waits, no more is read
    from the socket, and the venue feels it."""

    def __init__(
        self,
        url: str,
        opened: Callable[[], Awaitable[None]],
        received: Callable[[str | bytes], Awaitable[None]],
    ) -> None:
        self.url = url
        self._opened = opened
        self._received = received
        self._socket: ClientConnection | None = None
        self._hangup_reason: str | None = None

    async def run(self) -> str:
        """Open, pump until the end, and say why it ended."""
        try:
            async with asyncio.timeout(OPEN_PATIENCE_S):
                self._socket = await connect(
                    self.url,
                    max_size=FRAME_AT_MOST,
                    close_timeout=CLOSE_PATIENCE_S,
                    ping_interval=PING_EVERY_S,
                    ping_timeout=PING_EVERY_S,
                    compression=None,
                )
        except TimeoutError:
            return f"{self.url} did not open within {OPEN_PATIENCE_S} s"
        except (OSError, InvalidURI, InvalidHandshake, WebSocketException) as error:
            return f"{self.url} did not open: {error}"
        try:
            await self._opened()
            async for frame in self._socket:
                await self._received(frame)
        except ConnectionClosed as error:
            return self._hangup_reason or f"the connection broke: {error}"
        finally:
            await self._socket.close()
        return (
            self._hangup_reason or f"the venue closed the connection: {self._socket.close_reason or 'no reason given'}"
        )

    async def send(self, text: str) -> None:
        """What cannot be sent any more is dropped: the end of the socket is told by `run`."""
        if self._socket is not None:
            try:
                await self._socket.send(text)
            except ConnectionClosed:
                return

    async def hang_up(self, reason: str) -> None:
        self._hangup_reason = reason
        if self._socket is not None:
            await self._socket.close()
