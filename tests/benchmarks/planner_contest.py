"""The planner, against scipy's mixed-integer solver where minimums bite, and where they do not against collecting and
sorting all books. Each contestant must come to the same split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from random import Random

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.plan import RouteRequest, RoutingPolicy, VenueDepth
from aggregator.routing.planner import plan
from aggregator.routing.sweep import Swept, sweep
from tests.benchmarks.contest import Figure, Run, duel
from tests.routing import milp

BTC = Instrument.of("BTC", "USDT")
TAKER_FEES = {"binance": 100_000, "huobi": 200_000, "cryptocom": 75_000, "gateio": 150_000}
LEVELS = 50
LOT = BTC.quantity("0.00001")
CASES = 40
TIMES = 10
"""A sweep is so short that in one round each book is swept so often."""

POLICY = RoutingPolicy(market_bound_bps=300)

Split = list[int]
"""The quantity of each venue."""

Books = Sequence[VenueDepth]


def run() -> Iterator[Figure]:
    yield from _against_solver()
    for btc, target in (("0.5", 10), ("2", None), ("16", None)):
        yield _against_sorting(btc, target)
    yield _whole_plan_against_sorting("0.5")


def _against_solver() -> Iterator[Figure]:
    case = "plan, 4 x 50 levels, minimums"
    if find_spec("scipy") is None:
        yield Figure(case, skipped="scipy is absent: it is in the dev extra")
        return
    cases = [(books, wanted) for books, wanted in map(_biting, range(CASES))]
    programs = [(_program(books), wanted // LOT) for books, wanted in cases]

    def ours() -> Run:
        splits: list[Split] = []
        return Run(lambda: splits.extend(_planned(books, wanted) for books, wanted in cases), lambda: splits)

    def theirs() -> Run:
        splits: list[Split] = []

        def solve() -> None:
            splits.extend([lots * LOT for lots in program.cheapest(wanted)] for program, wanted in programs)

        return Run(solve, lambda: splits)

    yield duel(case, "µs/plan", 1e6 / CASES, ours, theirs, 25)


def _against_sorting(btc: str, times_at_least: float | None) -> Figure:
    """The split alone, where minimums do not bite: the same columns and fees for both."""
    wanted = BTC.quantity(btc)
    cases = [_columns(_books(seed, minimum="0")) for seed in range(CASES)]
    repeated = [case for case in cases for _ in range(TIMES)]

    def ours() -> Run:
        swept: list[Swept] = []
        return Run(
            lambda: swept.extend(sweep(columns, factors, wanted) for columns, factors in repeated),
            lambda: [quantities for quantities, *_ in swept],
        )

    def theirs() -> Run:
        splits: list[Split] = []
        return Run(
            lambda: splits.extend(_sorted(columns, factors, wanted) for columns, factors in repeated), lambda: splits
        )

    case = f"split {btc} BTC, 4 x 50 levels, against sorting"
    return duel(case, "µs/split", 1e6 / len(repeated), ours, theirs, times_at_least)


def _whole_plan_against_sorting(btc: str) -> Figure:
    """With limits, explanation and fingerprint on one side only; for information."""
    wanted = BTC.quantity(btc)
    cases = [_books(seed, minimum="0") for seed in range(CASES)]

    def contestant(split: Callable[[Books, int], Split]) -> Run:
        splits: list[Split] = []
        return Run(lambda: splits.extend(split(books, wanted) for books in cases), lambda: splits)

    return duel(
        f"whole plan of {btc} BTC, against sorting",
        "µs/plan",
        1e6 / CASES,
        lambda: contestant(_planned),
        lambda: contestant(lambda books, wanted: _sorted(*_columns(books), wanted)),
    )


def _planned(books: Books, wanted: int) -> Split:
    children = plan(RouteRequest(BTC, Side.BUY, quantity=wanted), books, POLICY).children
    quantities = {child.venue: child.quantity for child in children}
    return [quantities.get(depth.venue, 0) for depth in books]


def _columns(books: Books) -> tuple[list[Levels], list[int]]:
    """Each venue's levels, and by what its fee multiplies a price."""
    return [depth.levels for depth in books], [RATE_ONE + depth.listing.fees.taker for depth in books]


def _sorted(columns: list[Levels], factors: list[int], wanted: int) -> Split:
    """What a router without a plan does: all levels of all books with fees, sorted, taken until there is enough."""
    levels = [
        (price * factor, quantity, venue)
        for venue, (column, factor) in enumerate(zip(columns, factors, strict=True))
        for price, quantity in zip(column.prices, column.quantities, strict=True)
    ]
    levels.sort()
    split = [0] * len(columns)
    for _, quantity, venue in levels:
        part = min(quantity, wanted)
        split[venue] += part
        wanted -= part
        if not wanted:
            break
    return split


def _biting(seed: int) -> tuple[Books, int]:
    """Books and a quantity of which the cheapest levels break a minimum, so that they are not the answer."""
    random = Random(seed)
    while True:
        books = _books(random.randrange(10**9), minimum=random.choice(("1", "2", "4")))
        wanted = BTC.quantity(random.choice(("5", "10", "20", "40")))
        split = _sorted(*_columns(books), wanted)
        if any(0 < quantity < depth.listing.minimum_quantity for quantity, depth in zip(split, books, strict=True)):
            return books, wanted


def _books(seed: int, minimum: str) -> Books:
    random = Random(seed)
    return [_depth(random, venue, minimum) for venue in TAKER_FEES]


def _depth(random: Random, venue: str, minimum: str) -> VenueDepth:
    """Asks a few dollars apart, with as little as real ones have at most levels and much at some."""
    cents, levels = 6_180_000 + random.randrange(4_000), Levels([], [])
    for _ in range(LEVELS):
        levels.prices.append(BTC.price(f"{cents // 100}.{cents % 100:02}"))
        levels.quantities.append(random.choice((random.randint(1, 10_000), random.randint(1, 200_000))) * LOT)
        cents += random.randint(1, 400)
    listing = Listing(
        venue,
        "BTCUSDT",
        BTC,
        tick=BTC.price("0.01"),
        lot=LOT,
        minimum_quantity=BTC.quantity(minimum),
        fees=Fees(taker=TAKER_FEES[venue]),
    )
    return VenueDepth(listing, levels)


def _program(books: Books) -> milp.Program:
    """In lots and dollars, numbers of a size that suits a solver."""
    scale = 10**BTC.price_decimals * RATE_ONE * 10**5
    return milp.Program(
        [
            milp.Side(
                units=[price * (RATE_ONE + depth.listing.fees.taker) / scale for price in depth.levels.prices],
                quantities=[quantity // LOT for quantity in depth.levels.quantities],
                lot=1,
                fixed_cost=0,
                runs=[milp.Run(depth.listing.minimum_quantity // LOT, sum(depth.levels.quantities) // LOT)],
            )
            for depth in books
        ]
    )
