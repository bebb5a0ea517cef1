"""Small random requests that meet every rule of the planner: lots of all sizes, minimums, balances, caps, costs."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import (
    NET_ONE,
    Holdings,
    Rate,
    RouteRequest,
    RoutingPolicy,
    VenueDepth,
    VenueTerms,
)

BTC = Instrument("BTC/USDT", "BTC", "USDT", price_decimals=2, quantity_decimals=3)
USDC = Instrument("BTC/USDC", "BTC", "USDC", price_decimals=2, quantity_decimals=3)

NESTED_LOTS = (0, 1, 1, 5, 10, 10, 50)
ANY_LOTS = (0, 1, 2, 3, 4, 5, 6, 10)


@dataclass(frozen=True)
class Case:
    request: RouteRequest
    venues: tuple[VenueDepth, ...]
    policy: RoutingPolicy


def random_case(
    seed: int, venues_at_most: int = 6, lots: tuple[int, ...] | None = None, by_notional: bool = False
) -> Case:
    """The same case for the same seed, on every machine."""
    random = Random(seed)
    side = random.choice(list(Side))
    lots = lots or random.choice((NESTED_LOTS, NESTED_LOTS, ANY_LOTS))
    names = [f"v{number}" for number in range(random.choice((random.randint(1, venues_at_most), venues_at_most)))]
    middle = 10_000 + random.choice((1, 10, 100)) * random.randint(-1, 1)
    venues = tuple(_depth(random, name, side, lots, middle) for name in names)
    policy = RoutingPolicy(
        terms={name: _terms(random) for name in names if random.random() < 0.5},
        market_bound_bps=random.choice((30, 300, 1500, 1500)),
    )
    return Case(_request(random, side, by_notional), venues, policy)


def _request(random: Random, side: Side, by_notional: bool) -> RouteRequest:
    return RouteRequest(
        BTC,
        side,
        quantity=None if by_notional else random.choice((random.randint(1, 30), random.randint(20, 150))),
        notional=random.randint(1, 60) * 10_000 + random.randint(0, 9_999) if by_notional else None,
        limit_price=random.randint(9_700, 10_400) if random.random() < 0.25 else None,
        as_of_ns=1_000,
    )


def _depth(random: Random, name: str, side: Side, lots: tuple[int, ...], middle: int) -> VenueDepth:
    is_foreign = random.random() < 0.1
    listing = Listing(
        name,
        name.upper(),
        USDC if is_foreign else BTC,
        tick=random.choice((0, 1, 1, 5)),
        lot=random.choice(lots),
        minimum_quantity=random.choice((0, 0, random.randint(1, 30))),
        minimum_notional=random.choice((0, 0, random.randint(1, 300) * 1_000)),
        fees=Fees(taker=random.choice((0, 100_000, random.randint(0, 500_000)))),
    )
    rate = Rate("USDC", "USDT", NET_ONE * random.randint(990, 1010) // 1000, "test", 900, 200) if is_foreign else None
    return VenueDepth(
        listing,
        _levels(random, side, middle + random.randint(-100, 100) // random.choice((1, 10))),
        rate=rate,
        holdings=_holdings(random) if random.random() < 0.2 else None,
        pending=random.choice((0, 0, 0, random.randint(1, 20))),
        confidence=random.choice((RATE_ONE, RATE_ONE, RATE_ONE * random.randint(10, 100) // 100)),
    )


def _levels(random: Random, side: Side, price: int) -> Levels:
    rows: dict[int, int] = {}
    for _ in range(random.randint(0 if random.random() < 0.1 else 1, 6)):
        rows[price] = random.choice((random.randint(1, 12), random.randint(1, 60)))
        price += (1 if side is Side.BUY else -1) * random.choice((1, 2, 5, 10, random.randint(1, 100)))
    return Levels(list(rows), list(rows.values()))


def _holdings(random: Random) -> Holdings:
    return Holdings(
        base=random.randint(10, 100), quote=random.randint(10, 100) * 10_000, base_reserved=random.choice((0, 5))
    )


def _terms(random: Random) -> VenueTerms:
    return VenueTerms(
        route=random.random() < 0.95,
        fixed_cost=random.choice((0, 0, random.randint(1, 3_000))),
        maximum_quantity=random.choice((None, None, None, random.randint(1, 60))),
        cap_quantity=random.choice((None, None, None, random.randint(1, 60))),
        cap_notional=random.choice((None, None, None, random.randint(1, 60) * 10_000)),
        is_fee_in_quote=random.random() < 0.5,
    )
