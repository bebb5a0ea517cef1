"""What concerns the house as a whole: its balances at the venues, and the kill switch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from aiohttp import web

from aggregator.api.auth import Caller, Keys
from aggregator.api.order_documents import balances_document
from aggregator.api.order_requests import read_halt_reason
from aggregator.api.orders import Ask, asked
from aggregator.api.reading import answered
from aggregator.api.routes import BALANCES, HALT, HALT_OFF, HALT_ON, Endpoint, guarded
from aggregator.domain.order_events import Balance, HaltSwitched


class House(Protocol):
    """What the engine knows of the house."""

    @property
    def balances(self) -> Mapping[str, Mapping[str, Balance]]:
        """By venue and asset."""
        ...

    @property
    def expected(self) -> Mapping[str, Mapping[str, int]]:
        """The same, as our own fills come to it, on ASSET_DECIMALS."""
        ...

    @property
    def is_halted(self) -> bool: ...

    @property
    def halt_reason(self) -> str: ...

    @property
    def reconciling(self) -> Mapping[str, str]:
        """The venues whose orders and balances are not known yet, with the reason."""
        ...


class HouseRoutes:
    """Balances and the switch need scope `admin`; whether it is on is told to every key."""

    def __init__(self, house: House, keys: Keys, ask: Ask, clock_ns: Callable[[], int]) -> None:
        self._house = house
        self._keys = keys
        self._ask = ask
        self._clock_ns = clock_ns

    def routes(self) -> list[Endpoint]:
        return [
            guarded(self._keys, BALANCES, self.balances),
            guarded(self._keys, HALT, self.halt),
            guarded(self._keys, HALT_ON, self.switch_on),
            guarded(self._keys, HALT_OFF, self.switch_off),
        ]

    async def balances(self, _: web.Request, caller: Caller) -> web.Response:
        house = self._house
        return answered(
            {
                "balances": balances_document(house.balances, house.expected),
                "reconciling": dict(house.reconciling),
                "as_of_ns": self._clock_ns(),
            }
        )

    async def halt(self, _: web.Request, caller: Caller) -> web.Response:
        return self._answer()

    async def switch_on(self, request: web.Request, caller: Caller) -> web.Response:
        """Nothing new leaves from here on. Cancels still do."""
        reason = read_halt_reason(await request.read())
        await asked(self._ask, HaltSwitched(self._clock_ns(), is_halted=True, by=caller.key, reason=reason))
        return self._answer()

    async def switch_off(self, _: web.Request, caller: Caller) -> web.Response:
        await asked(self._ask, HaltSwitched(self._clock_ns(), is_halted=False, by=caller.key))
        return self._answer()

    def _answer(self) -> web.Response:
        return answered(
            {
                "halted": self._house.is_halted,
                "reason": self._house.halt_reason,
                "reconciling": dict(self._house.reconciling),
            }
        )
