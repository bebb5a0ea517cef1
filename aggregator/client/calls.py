"""Requests to the API, signed, and repeated when no answer comes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from decimal import Decimal
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

from aiohttp import ClientConnectorError, ClientError, ClientSession, ClientTimeout
from yarl import URL

from aggregator.client.answers import Balance, Book, Fill, Halt, Order, Quote
from aggregator.client.errors import NotReached, Refused, Unanswered
from aggregator.client.following import Subscription
from aggregator.client.signing import Signer
from aggregator.client.stream import Stream
from aggregator.domain.order import TimeInForce

PATIENCE_S = 10
REPEAT_AFTER_S = (0.1, 0.5)
"""The waits before a call without an answer is made again."""

Exact = Decimal | str
"""Never a binary float: it cannot hold most prices."""

SideName = Literal["buy", "sell"]

S = TypeVar("S", bound="Client")


class Client:
    """Use it as an asynchronous context, which it ends with. Without a key it sees what everybody may see.

    Every call raises NotReached or Unanswered when there was no answer after all repetitions, Refused for the service's
    own refusal. What is called again by hand after either is safe too: an order by its client order id.
    """

    def __init__(
        self,
        root: str = "http://127.0.0.1:8080",
        key: str = "",
        secret: str = "",
        *,
        patience_s: float = PATIENCE_S,
        repeat_after_s: Sequence[float] = REPEAT_AFTER_S,
    ) -> None:
        self._root = root.rstrip("/")
        self._signer = Signer(key, secret) if key else None
        self._patience = ClientTimeout(total=patience_s)
        self._repeat_after_s = repeat_after_s
        self._opened: ClientSession | None = None

    async def __aenter__(self: S) -> S:
        self._opened = ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def instruments(self) -> list[str]:
        """Their symbols."""
        return [instrument["symbol"] for instrument in (await self._get("/v1/instruments"))["instruments"]]

    async def venues(self) -> dict[str, Any]:
        """By venue: its state, and the health of its books."""
        return {venue["venue"]: venue for venue in (await self._get("/v1/venues"))["venues"]}

    async def book(self, symbol: str, depth: int = 50, view: str = "gross", venues: Sequence[str] = ()) -> Book:
        chosen = ",".join(venues) or None
        return Book.of(
            await self._get(f"/v1/books/{_part(symbol.replace('/', '-'))}", depth=depth, view=view, venues=chosen)
        )

    async def quote(
        self,
        symbol: str,
        side: SideName,
        quantity: Exact | None = None,
        *,
        notional: Exact | None = None,
        limit_price: Exact | None = None,
        venues: Sequence[str] | None = None,
    ) -> Quote:
        """How an order would be split now; nothing is sent. Either `quantity`, in base, or `notional`, in quote."""
        body = _body(symbol=symbol, side=side, quantity=quantity, notional=notional, limit_price=limit_price)
        return Quote.of(await self._call("POST", "/v1/quotes", body | _body(venues=venues)))

    async def place(
        self,
        client_order_id: str,
        symbol: str,
        side: SideName,
        quantity: Exact,
        *,
        limit_price: Exact | None = None,
        time_in_force: TimeInForce | str = TimeInForce.IOC,
        post_only: bool = False,
        venues: Sequence[str] | None = None,
        strategy: str = "",
    ) -> Order:
        """A limit order with a `limit_price`, a market order without. Safe to repeat: the same `client_order_id` never
        makes a second order, and answers with the first."""
        body = _body(
            client_order_id=client_order_id,
            symbol=symbol,
            side=side,
            type="market" if limit_price is None else "limit",
            quantity=quantity,
            limit_price=limit_price,
            time_in_force=str(time_in_force),
            venues=venues,
        )
        return Order.of(await self._call("POST", "/v1/orders", {**body, "post_only": post_only, "strategy": strategy}))

    async def order(self, order_id: str) -> Order:
        """By our order id, or by `client:` and yours."""
        return Order.of(await self._get(f"/v1/orders/{_part(order_id)}"))

    async def orders(
        self,
        status: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        account: str | None = None,
    ) -> list[Order]:
        """The newest first; `status` is open or ended. The next page is asked for `after` the last order's id. Keys
        that oversee may name another `account`, or `*` for all."""
        page = await self._get("/v1/orders", status=status, limit=limit, after=after, account=account)
        return [Order.of(document) for document in page["orders"]]

    async def amend(self, order_id: str, quantity: Exact | None = None, limit_price: Exact | None = None) -> Order:
        """Another quantity (in all, what is filled included), another limit price, or both."""
        body = _body(quantity=quantity, limit_price=limit_price)
        return Order.of(await self._call("PATCH", f"/v1/orders/{_part(order_id)}", body))

    async def cancel(self, order_id: str) -> Order:
        """Its state says whether its venues have answered yet."""
        return Order.of(await self._call("DELETE", f"/v1/orders/{_part(order_id)}"))

    async def cancel_all(self, symbol: str | None = None, account: str | None = None) -> list[Order]:
        """Those that were open; the service waits a few seconds for their venues. An admin may name another `account`,
        or `*` for all."""
        answer = await self._call("DELETE", "/v1/orders" + _query(symbol=symbol, account=account))
        return [Order.of(document) for document in answer["orders"]]

    async def fills(
        self,
        order_id: str | None = None,
        limit: int | None = None,
        after: str | None = None,
        account: str | None = None,
    ) -> list[Fill]:
        """The newest first. The next page is asked for `after` the last fill's id. Keys that oversee may name another
        `account`, or `*` for all."""
        page = await self._get("/v1/fills", order=order_id, limit=limit, after=after, account=account)
        return [Fill.of(document) for document in page["fills"]]

    async def balances(self) -> dict[str, dict[str, Balance]]:
        """The house's, by venue and asset."""
        told = (await self._get("/v1/balances"))["balances"]
        return {venue: {asset: Balance.of(held) for asset, held in assets.items()} for venue, assets in told.items()}

    async def halt(self) -> Halt:
        return Halt.of(await self._get("/v1/halt"))

    async def switch_halt(self, reason: str | None) -> Halt:
        """On with a reason: nothing new leaves. Off without one."""
        if reason is None:
            return Halt.of(await self._call("DELETE", "/v1/halt"))
        return Halt.of(await self._call("POST", "/v1/halt", {"reason": reason}))

    def stream(self, *subscriptions: Subscription) -> Stream:
        """What happens from now on, as an asynchronous iterator."""
        return Stream(self._session, self._root, self._signer, subscriptions)

    @property
    def _session(self) -> ClientSession:
        if self._opened is None:
            raise RuntimeError("the client is not open: use it in `async with Client(...) as client:`")
        return self._opened

    async def _get(self, path: str, **parameters: str | int | None) -> Any:
        return await self._call("GET", path + _query(**parameters))

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer; asked again, signed anew, while there is none."""
        content = b"" if body is None else json.dumps(body).encode()
        for wait_s in self._repeat_after_s:
            try:
                return await self._call_once(method, path, content)
            except (NotReached, Unanswered):
                await asyncio.sleep(wait_s)
        return await self._call_once(method, path, content)

    async def _call_once(self, method: str, path: str, content: bytes) -> Any:
        headers = {"Content-Type": "application/json"} if content else {}
        if self._signer is not None:
            headers |= self._signer.headers(method, path, content)
        url = URL(self._root + path, encoded=True)
        try:
            async with self._session.request(
                method, url, data=content or None, headers=headers, timeout=self._patience
            ) as answer:
                document = await answer.json(content_type=None)
        except ClientConnectorError as error:
            raise NotReached(f"{self._root} is not reached: {error}; is the service running?") from None
        except (ClientError, TimeoutError, ConnectionError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise Unanswered(f"{self._root} gave no answer to {method} {path}: {reason}") from None
        if answer.status < 400:
            return document
        refused = Refused.by(answer.status, document)
        if refused.code == "request_repeated":
            # No two of our signatures are alike: the transport has sent this one again, and the first answer is lost.
            raise Unanswered(f"{self._root} answered {method} {path}, and the answer was lost on its way")
        raise refused


def _body(**members: Any) -> dict[str, Any]:
    """Without what was not given; decimals as texts. Raises TypeError for a binary float."""
    body = {}
    for name, value in members.items():
        if isinstance(value, float):
            raise TypeError(f"{name}={value!r} is a binary float, which is not exact; give a Decimal or a text")
        if value is not None:
            body[name] = format(value, "f") if isinstance(value, Decimal) else value
    return body


def _part(text: str) -> str:
    return quote(text, safe="")


def _query(**parameters: str | int | None) -> str:
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"?{urlencode(given)}" if given else ""
