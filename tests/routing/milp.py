"""The planner's problem as a mixed-integer program, for scipy's HiGHS: a second opinion on which split is cheapest.

Levels are continuous, used or not is a binary for each run of legal quantities, and lots are counted by an integer.
Solvers compute with binary floats, so what comes out is rounded to whole lots and priced exactly by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple


class Run(NamedTuple):
    """Legal quantities from `low` to `high`, on the venue's lot."""

    low: int
    high: int


class Side(NamedTuple):
    """A venue: what a unit costs at each level and how many units are there, cheapest first."""

    units: Sequence[float]
    quantities: Sequence[int]
    lot: int
    fixed_cost: float
    runs: Sequence[Run]


class Program:
    """`most` and `cheapest` return the quantity of each venue, as whole lots. `prepare` builds the matrices, so that a
    benchmark can leave that out."""

    def __init__(self, venues: Sequence[Side]) -> None:
        np, optimize = import_module("numpy"), import_module("scipy.optimize")
        self._np, self._optimize = np, optimize
        self._venues = venues
        costs: list[float] = []
        highs: list[float] = []
        integral: list[int] = []
        rows: list[tuple[int, int, float]] = []
        lows_of_rows: list[float] = []
        highs_of_rows: list[float] = []
        self._lots: list[int] = []

        def variable(cost: float, high: float, is_integer: bool) -> int:
            costs.append(cost)
            highs.append(high)
            integral.append(int(is_integer))
            return len(costs) - 1

        def constraint(terms: Sequence[tuple[int, float]], low: float, high: float) -> None:
            rows.extend((len(lows_of_rows), column, factor) for column, factor in terms)
            lows_of_rows.append(low)
            highs_of_rows.append(high)

        for venue in venues:
            levels = [
                (variable(unit, quantity, is_integer=False), 1.0)
                for unit, quantity in zip(venue.units, venue.quantities, strict=True)
            ]
            lots = variable(0.0, sum(venue.quantities) // venue.lot, is_integer=True)
            used = [variable(venue.fixed_cost, 1, is_integer=True) for _ in venue.runs]
            self._lots.append(lots)
            constraint([*levels, (lots, -venue.lot)], 0, 0)
            constraint([(column, 1.0) for column in used] or [(lots, 0.0)], 0, 1)
            runs = list(zip(used, venue.runs, strict=True))
            constraint([(lots, venue.lot), *((column, -run.low) for column, run in runs)], 0, np.inf)
            constraint([(lots, venue.lot), *((column, -run.high) for column, run in runs)], -np.inf, 0)
        constraint([(lots, venue.lot) for lots, venue in zip(self._lots, venues, strict=True)], 0, 0)
        places, columns, factors = zip(*rows, strict=True)
        self._costs = np.array(costs)
        self._integral = np.array(integral)
        self._bounds = optimize.Bounds(0, np.array(highs))
        self._matrix = import_module("scipy.sparse").csr_array(
            (factors, (places, columns)), shape=(len(lows_of_rows), len(costs))
        )
        self._lows, self._highs = np.array(lows_of_rows), np.array(highs_of_rows)

    def most(self, wanted: int) -> list[int]:
        """The split that fills the most of `wanted`."""
        objective = self._np.zeros(len(self._costs))
        objective[self._lots] = [-venue.lot for venue in self._venues]
        return self._solve(objective, 0, wanted)

    def cheapest(self, total: int) -> list[int]:
        """The split of exactly `total` that costs least."""
        return self._solve(self._costs, total, total)

    def _solve(self, objective: Any, low: int, high: int) -> list[int]:
        self._lows[-1], self._highs[-1] = low, high
        found = self._optimize.milp(
            objective,
            integrality=self._integral,
            bounds=self._bounds,
            constraints=self._optimize.LinearConstraint(self._matrix, self._lows, self._highs),
            options={"mip_rel_gap": 0},
        )
        assert found.status == 0, found.message
        return [round(found.x[lots]) * venue.lot for lots, venue in zip(self._lots, self._venues, strict=True)]
