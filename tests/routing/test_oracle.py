"""The planner against two others that know the same rules: one tries every quantity, the other is a solver.

The long run, 20,000 cases of each, takes half an hour: AGGREGATOR_LONG_RUN=1 make test ARGS="-k oracle".
"""

from __future__ import annotations

import os
from collections import Counter
from fractions import Fraction
from importlib.util import find_spec

import pytest

from aggregator.domain.instrument import Side
from aggregator.domain.plan import NET_ONE, VenueDepth
from aggregator.routing.planner import plan
from tests.routing.brute import Costs, best, best_by_notional, best_costs, net_cost, venue_costs, venue_units
from tests.routing.cases import Case, random_case
from tests.routing.milp import Program, Run
from tests.routing.milp import Side as ProgramSide

LONG = bool(os.environ.get("AGGREGATOR_LONG_RUN"))
SOLVED = 20_000 if LONG else 2_000
TRIED = 20_000 if LONG else 800
TRIED_BY_NOTIONAL = 20_000 if LONG else 200
CHUNKS = 10

needs_scipy = pytest.mark.skipif(find_spec("scipy") is None, reason="scipy is absent: it is in the dev extra")


def chunks(cases: int) -> list[range]:
    return [range(begin, begin + cases // CHUNKS) for begin in range(0, cases, cases // CHUNKS)]


def ours(case: Case) -> tuple[int, Fraction]:
    """Quantity and signed cost of the plan, which says that it is the best."""
    found = plan(case.request, case.venues, case.policy)
    assert (found.gap, found.is_proven) == (0, True)
    return found.filled, Fraction(found.net if case.request.side is Side.BUY else -found.net, NET_ONE)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", chunks(TRIED), ids=str)
def test_no_split_that_can_be_tried_is_better(seeds: range) -> None:
    for seed in seeds:
        case = random_case(seed)
        assert ours(case) == best(case), seed


@pytest.mark.slow
@pytest.mark.parametrize("seeds", chunks(TRIED_BY_NOTIONAL), ids=str)
def test_no_quantity_that_can_be_tried_is_nearer_to_the_notional(seeds: range) -> None:
    for seed in seeds:
        case = random_case(seed, by_notional=True)
        assert ours(case) == best_by_notional(case), seed


@pytest.mark.slow
@needs_scipy
@pytest.mark.parametrize("seeds", chunks(SOLVED), ids=str)
def test_the_solver_finds_the_same_fill_at_the_same_cost(seeds: range) -> None:
    for seed in seeds:
        case = random_case(seed)
        filled, cost = ours(case)
        units, legal = venue_units(case), venue_costs(case)
        depths = [depth for depth in case.venues if depth.venue in legal]
        if not depths:
            assert filled == 0
            continue
        program = Program([_side(case, depth, units[depth.venue], legal[depth.venue]) for depth in depths])
        wanted = case.request.quantity or 0
        if filled < wanted:
            assert sum(program.most(wanted)) == filled, seed
        quantities = program.cheapest(filled)
        assert sum(quantities) == filled, seed
        priced = [legal[depth.venue][quantity] for depth, quantity in zip(depths, quantities, strict=True)]
        assert sum(priced) == cost, seed


def _side(case: Case, depth: VenueDepth, units: list[int], costs: Costs) -> ProgramSide:
    """One venue of the program: its units by price, and its legal quantities as runs."""
    levels = Counter(units)
    lot = depth.listing.lot or 1
    runs: list[Run] = []
    for quantity in sorted(costs.keys() - {0}):
        if runs and quantity == runs[-1].high + lot:
            runs[-1] = Run(runs[-1].low, quantity)
        else:
            runs.append(Run(quantity, quantity))
    prices = [float(net_cost(case.request, depth, price)) for price in levels]
    return ProgramSide(prices, list(levels.values()), lot, case.policy.of(depth.venue).fixed_cost, runs)


def test_the_two_others_agree_on_a_case_worked_by_hand() -> None:
    costs = {"a": {0: Fraction(0), 3: Fraction(30)}, "b": {0: Fraction(0), 2: Fraction(22), 3: Fraction(33)}}
    assert best_costs(costs, 5) == {
        0: Fraction(0),
        2: Fraction(22),
        3: Fraction(30),
        5: Fraction(52),
    }
