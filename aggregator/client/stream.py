"""The stream as an iterator that outlives its connections."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from aggregator.client.errors import Refused
from aggregator.client.following import Follower, Subscription, Update
from aggregator.client.signing import Signer

PATH = "/v1/stream"
HEARTBEAT_S = 20
MESSAGE_AT_MOST = 64 * 1024 * 1024

FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
"""Before connecting again; it doubles while that does not help."""

TEMPORARY = frozenset({"unknown_instrument", "request_expired", "too_many_requests"})
"""What a service may say for a while after it was started again. Believed at the first connection only."""


class Stream:
    """Iterate over it. `connects` counts connections, `gaps` the changes that were missing from one.

    It waits for a service that does not answer, and goes on with a snapshot after a lost connection. Raises Refused for
    what the service will not stream.
    """

    def __init__(
        self, session: ClientSession, root: str, signer: Signer | None, subscriptions: Sequence[Subscription]
    ) -> None:
        self._session = session
        self._url = root + PATH
        self._signer = signer
        self._follower = Follower(subscriptions)
        self.connects = 0

    @property
    def gaps(self) -> int:
        return self._follower.gaps

    async def __aiter__(self) -> AsyncIterator[Update]:
        wait_s = FIRST_WAIT_S
        while not self._session.closed:
            try:
                async for update in self._one_connection():
                    wait_s = FIRST_WAIT_S
                    yield update
            except Refused as refused:
                if not (self._follower.was_heard and refused.code in TEMPORARY):
                    raise
            except WSServerHandshakeError as error:
                if not self.connects and 400 <= error.status < 500:
                    raise Refused(error.status, "", f"{self._url} is no stream: {error.message}") from None
            except (ClientError, OSError, TimeoutError):
                pass
            # Not all who have lost the same service come back in the same moment.
            await asyncio.sleep(wait_s * random.uniform(0.5, 1))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _one_connection(self) -> AsyncIterator[Update]:
        async with self._session.ws_connect(self._url, heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_AT_MOST) as socket:
            self.connects += 1
            self._follower.connected()
            if self._signer is not None:
                await socket.send_str(json.dumps(self._login(self._signer)))
            await self._send_requests(socket)
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                update = self._follower.received(json.loads(message.data))
                await self._send_requests(socket)
                if update is not None:
                    yield update

    async def _send_requests(self, socket: ClientWebSocketResponse) -> None:
        for request in self._follower.take_requests():
            await socket.send_str(json.dumps(request))

    def _login(self, signer: Signer) -> dict[str, Any]:
        timestamp, signature = signer.sign("GET", PATH)
        return {"op": "login", "key": signer.key, "timestamp_ns": timestamp, "signature": signature}
