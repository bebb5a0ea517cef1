"""What holds for every plan, whatever the venues, the rules and the request."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.book import Levels
from aggregator.domain.instrument import Fees, Side
from aggregator.domain.plan import NET_ONE, RoutePlan, RouteRequest, VenueDepth
from aggregator.routing.planner import plan
from aggregator.routing.record import fingerprint, restored, stored
from tests.routing.brute import best_costs, venue_costs
from tests.routing.cases import BTC, Case, random_case
from tests.twins.examples import examples

SEEDS = st.integers(0, 10**9)


def planned(case: Case) -> RoutePlan:
    return plan(case.request, case.venues, case.policy)


def cost(plan: RoutePlan) -> Fraction:
    """Signed: a seller's is negative."""
    return Fraction(plan.net if plan.request.side is Side.BUY else -plan.net, NET_ONE)


@given(seed=SEEDS, by_notional=st.booleans())
@examples(150)
def test_never_more_than_asked(seed: int, by_notional: bool) -> None:
    case = random_case(seed, by_notional=by_notional)
    found = planned(case)
    assert found.filled == sum(child.quantity for child in found.children)
    if by_notional:
        assert Fraction(found.net, NET_ONE) <= (case.request.notional or 0)
    else:
        assert found.filled + sum(found.unfilled.values()) == case.request.quantity


@given(seed=SEEDS, by_notional=st.booleans())
@examples(150)
def test_never_past_the_limit_or_the_bound(seed: int, by_notional: bool) -> None:
    case = random_case(seed, by_notional=by_notional)
    found = planned(case)
    rates = {depth.venue: depth.rate.value if depth.rate else NET_ONE for depth in case.venues}
    bound = found.bound_price
    assert case.request.limit_price in (None, bound)
    for child in found.children:
        assert bound is not None
        price = Fraction(child.limit_price * rates[child.venue], NET_ONE)
        assert price <= bound if case.request.side is Side.BUY else price >= bound


@given(seed=SEEDS, by_notional=st.booleans())
@examples(150)
def test_never_an_illegal_child_and_every_child_at_its_price(seed: int, by_notional: bool) -> None:
    case = random_case(seed, by_notional=by_notional)
    found, legal = planned(case), venue_costs(case)
    assert len({child.venue for child in found.children}) == len(found.children)
    for child in found.children:
        net = Fraction(child.net if case.request.side is Side.BUY else -child.net, NET_ONE)
        assert legal[child.venue][child.quantity] == net
    assert cost(found) == sum(legal[child.venue][child.quantity] for child in found.children)


@given(seed=SEEDS)
@examples(150)
def test_every_venue_is_used_or_told_why_not(seed: int) -> None:
    case = random_case(seed)
    found = planned(case)
    told = [child.venue for child in found.children]
    told += [*found.unused, *(name.partition(" ")[0] for name in found.excluded)]
    assert sorted(told) == sorted(depth.venue for depth in case.venues)


@given(seed=SEEDS)
@examples(150)
def test_a_sell_is_the_mirror_of_a_buy(seed: int) -> None:
    """Prices are mirrored at 200, so fees and notionals, which are shares of a price, are left out."""
    case = mirrorable(random_case(seed))
    venues = tuple(replace(depth, levels=mirrored(depth.levels)) for depth in case.venues)
    request = replace(
        case.request,
        side=Side.SELL if case.request.side is Side.BUY else Side.BUY,
        limit_price=MIRROR - (case.request.limit_price or 0),
    )
    one, other = planned(case), planned(Case(request, venues, case.policy))
    assert {child.venue: child.quantity for child in one.children} == {
        child.venue: child.quantity for child in other.children
    }
    assert [MIRROR - child.limit_price for child in one.children] == [child.limit_price for child in other.children]
    assert one.unfilled == other.unfilled


MIRROR = 20_000


def mirrored(levels: Levels) -> Levels:
    return Levels([MIRROR - price for price in levels.prices], levels.quantities)


def mirrorable(case: Case) -> Case:
    def simple(depth: VenueDepth) -> VenueDepth:
        listing = replace(depth.listing, instrument=BTC, minimum_notional=0, fees=Fees())
        return replace(depth, listing=listing, rate=None, holdings=None)

    terms = {venue: replace(terms, cap_notional=None) for venue, terms in case.policy.terms.items()}
    limit = case.request.limit_price or (10_300 if case.request.side is Side.BUY else 9_700)
    return Case(
        replace(case.request, limit_price=limit),
        tuple(map(simple, case.venues)),
        replace(case.policy, terms=terms),
    )


@given(seed=SEEDS)
@examples(150)
def test_one_more_venue_never_makes_it_worse(seed: int) -> None:
    """Under a limit price: a market bound follows the best price, so a new best may shut others out."""
    case = random_case(seed)
    limit = case.request.limit_price or (10_300 if case.request.side is Side.BUY else 9_700)
    request = replace(case.request, limit_price=limit)
    less, more = (planned(Case(request, venues, case.policy)) for venues in (case.venues[:-1], case.venues))
    assert more.filled >= less.filled
    if more.filled == less.filled:
        assert cost(more) <= cost(less)


@given(seed=SEEDS, by_notional=st.booleans())
@examples(120)
def test_a_plan_is_computed_again_from_what_is_stored(seed: int, by_notional: bool) -> None:
    case = random_case(seed, by_notional=by_notional)
    found = planned(case)
    text = json.dumps(stored(found.request, found.depth, found.policy))
    request, venues, policy = restored(json.loads(text))
    again = plan(request, venues, policy)
    assert again == found
    assert again.book_digest == found.book_digest == fingerprint(request.side, venues)
    assert again.to_document() == found.to_document()


@given(seed=SEEDS, nodes=st.integers(1, 8))
@examples(120)
def test_the_printed_gap_covers_the_true_one_when_the_search_is_cut_short(seed: int, nodes: int) -> None:
    case = random_case(seed)
    found = planned(Case(case.request, case.venues, replace(case.policy, search_limit=nodes)))
    if not found.filled:
        return
    best = best_costs(venue_costs(case), found.filled)[found.filled]
    assert cost(found) >= best
    if found.is_proven:
        assert (cost(found), found.gap) == (best, 0)
    assert best == 0 or (cost(found) - best) / abs(best) * 10**8 <= found.gap


@given(seed=SEEDS)
@examples(120)
def test_the_saving_is_against_the_best_that_one_venue_can_do(seed: int) -> None:
    case = random_case(seed)
    found = planned(case)
    fills = {
        venue: max(((quantity, -price) for quantity, price in costs.items() if quantity <= found.filled))
        for venue, costs in venue_costs(case).items()
    }
    most, gain = max(fills.values(), default=(0, Fraction(0)))
    if not most:
        assert (found.best_single, found.saving) == (None, None)
        return
    assert found.best_single is not None
    assert (found.best_single.filled, fills[found.best_single.venue]) == (most, (most, gain))
    if most < found.filled or not gain:
        assert found.saving is None
    else:
        assert found.saving is not None
        assert 0 <= (-gain - cost(found)) / abs(gain) * 10**8 - found.saving < 1


@given(seed=SEEDS)
@examples(100)
def test_a_limit_is_a_request_of_its_own_and_not_changed(seed: int) -> None:
    random = Random(seed)
    request = RouteRequest(BTC, random.choice(list(Side)), quantity=random.randint(1, 50), limit_price=10_000)
    case = replace(random_case(seed), request=request)
    assert planned(case).request is request
