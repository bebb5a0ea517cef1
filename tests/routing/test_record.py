"""What a plan was computed from is stored whole, and its fingerprint tells any change."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Instruments, Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import NET_ONE, Holdings, Rate, RouteRequest, RoutingPolicy, VenueTerms
from aggregator.routing.planner import plan
from aggregator.routing.record import Seen, fingerprint, restored, stored
from tests.routing.venues import BTC, shown

FULL = shown(
    "a",
    [("61837.63", "0.5"), ("61838", "1")],
    instrument=replace(BTC, name="BTC/USDC", quote="USDC"),
    tick="0.01",
    lot="0.001",
    minimum="0.002",
    minimum_notional="10",
    taker="0.001",
    rate=Rate("USDC", "USDT", NET_ONE + 1, "the mid of a", 17, 10**9),
    holdings=Holdings(BTC.quantity("1"), BTC.notional("2"), BTC.quantity("0.5"), BTC.notional("0.25")),
    pending=BTC.quantity("0.1"),
    confidence=RATE_ONE // 3,
)
BARE = shown("b", [], reason="stale: no frame for 4.1 s")
POLICY = RoutingPolicy(
    {"a": VenueTerms(False, 5, BTC.quantity("3"), BTC.quantity("4"), BTC.notional("7"), False)},
    VenueTerms(fixed_cost=BTC.notional("0.5")),
    market_bound_bps=42,
    search_limit=77,
)


@pytest.mark.parametrize(
    "request_",
    [
        RouteRequest(BTC, Side.BUY, quantity=BTC.quantity("0.7"), venues=("a", "b"), as_of_ns=1_700_000_000),
        RouteRequest(BTC, Side.SELL, notional=BTC.notional("1000.5"), limit_price=BTC.price("61000.01")),
    ],
)
def test_every_argument_survives_json(request_: RouteRequest) -> None:
    document = json.loads(json.dumps(stored(request_, [FULL, BARE], POLICY)))
    assert restored(document) == (request_, (FULL, BARE), POLICY)


def test_numbers_are_stored_as_decimals() -> None:
    venue = stored(RouteRequest(BTC, Side.BUY, quantity=1), [FULL], POLICY)["venues"][0]
    assert venue["levels"] == [["61837.63", "0.5"], ["61838", "1"]]
    assert (venue["lot"], venue["taker_fee"], venue["rate"]["value"]) == ("0.001", "0.001", "1.0000000000000001")


@pytest.mark.parametrize("mid", [None, BTC.price("61837.635")])
def test_a_look_at_the_market_survives_json(mid: int | None) -> None:
    seen = Seen(RouteRequest(BTC, Side.BUY, quantity=1, venues=("a",)), (FULL, BARE), POLICY, mid)
    document = json.loads(json.dumps(seen.to_document()))
    assert Seen.from_document(document, Instruments([BTC, FULL.listing.instrument])) == seen


def test_a_look_is_restored_on_the_scales_that_its_instrument_has_now() -> None:
    seen = Seen(RouteRequest(BTC, Side.BUY, quantity=BTC.quantity("0.7")), (BARE, FULL), POLICY, BTC.price("61837.63"))
    wide = Instruments([BTC.widened(15, 20)])
    again = Seen.from_document(seen.to_document(), wide)
    assert again.request.instrument is wide.listed("BTC/USDT")
    assert (again.request.quantity, again.mid) == (7 * 10**19, 6183763 * 10**13)
    assert again.to_document()["mid"] == "61837.63"


class TestTheFingerprint:
    def test_is_that_of_the_slice_in_the_plan(self) -> None:
        planned = plan(RouteRequest(BTC, Side.BUY, quantity=1), [FULL, BARE], POLICY)
        assert planned.book_digest == fingerprint(Side.BUY, planned.depth)

    def test_is_the_same_on_every_machine(self) -> None:
        assert fingerprint(Side.BUY, [BARE]) == "b4003c8f028ec42d28e58c60a0d5ffb03a91004d1a1e8f1dac26e5fe009fc5a8"
        assert fingerprint(Side.BUY, [FULL]) == "88a5007b864cddb39470357e8141948d4ec176b75ec692e3e37fa82a05c97574"

    @pytest.mark.parametrize(
        "change",
        [
            {"levels": Levels(FULL.levels.prices, [1, 2])},
            {"levels": Levels([1, 2], FULL.levels.quantities)},
            {"listing": replace(FULL.listing, lot=0)},
            {"reason": "stale"},
            {"rate": None},
            {"holdings": None},
            {"pending": 0},
            {"confidence": RATE_ONE},
        ],
        ids=lambda change: next(iter(change)),
    )
    def test_tells_any_change(self, change: dict[str, Any]) -> None:
        assert fingerprint(Side.BUY, [replace(FULL, **change)]) != fingerprint(Side.BUY, [FULL])

    def test_tells_the_side_and_the_venues_apart(self) -> None:
        found = {fingerprint(*slice_) for slice_ in ((Side.BUY, [FULL]), (Side.SELL, [FULL]), (Side.BUY, [FULL, FULL]))}
        assert len(found) == 3
