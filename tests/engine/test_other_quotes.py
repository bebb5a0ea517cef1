"""Orders in won that partners' dollar books fill: at which rate, in which order, and whose money moves."""

from dataclasses import replace
from fractions import Fraction
from random import Random

import pytest

from aggregator.domain.book import Levels
from aggregator.domain.effects import Alarm, PlaceChild
from aggregator.domain.events import BookLost, BookSnapshot, ListingsRead
from aggregator.domain.instrument import Fees, Instrument, Listing, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.numbers import RATE_ONE
from aggregator.domain.order import ASSET_DECIMALS, Fill, Liquidity, ParentOrder, ParentState
from aggregator.domain.order_events import (
    About,
    Balance,
    BalancesRead,
    ExecutionReport,
    FillReported,
    OpenOrdersRead,
    Started,
)
from aggregator.domain.plan import NET_ONE, RoutingPolicy, VenueTerms
from aggregator.domain.rates import BookRate, Peg, RateSource, StatedRate
from aggregator.engine.engine import Engine
from tests.engine.test_local_orders import KRW, MS, START_NS, Busan, _replays, money

USDT = Instrument.of("BTC", "USDT")
COINS = Instrument.of("USDT", "KRW")
STATED = StatedRate("stated", "USDT", "KRW", 1400 * NET_ONE)
SECOND = 1000 * MS
BOOKED = BookRate("market", "USDT", "KRW", "kilo", 10 * SECOND, Peg(1400 * NET_ONE, 100))


class Routed(Busan):
    """Busan beside venues whose books are in dollars. `alpha` and `beta` are named by its listing, `gamma` is not."""

    def __init__(self, *sources: RateSource, policy: RoutingPolicy | None = None) -> None:
        engine = Engine(
            policy_of=lambda instrument: (policy or RoutingPolicy()) if instrument == USDT else RoutingPolicy(),
            rate_sources=sources,
            routes_of={KRW.name: frozenset({"alpha", "beta"})}.get,
        )
        super().__init__(("ann", "bob"), engine)
        self.fills = 0
        self.tell(Started(0, "abc123", ("alpha", "beta", "gamma")))
        plenty = {"USDT": Balance(money("1000000"), 0), "BTC": Balance(money("100"), 0)}
        for venue in ("alpha", "beta", "gamma"):
            self.tell(BalancesRead(venue, 0, plenty), OpenOrdersRead(venue, 0, ()))

    def dollars(self, venue: str, bid: str, ask: str, quantity: str) -> None:
        lot = USDT.quantity("0.0001")
        fees = Fees(0, RATE_ONE // 1000)
        listing = Listing(venue, "BTCUSDT", USDT, USDT.price("0.01"), lot, fees=fees)
        self.engine.apply(ListingsRead(venue, self.now_ns, [listing]))
        bids, asks = (Levels([USDT.price(price)], [USDT.quantity(quantity)]) for price in (bid, ask))
        self.engine.apply(BookSnapshot(venue, USDT.name, self.now_ns, self.now_ns, bids, asks))

    def coins(self, bid: str, ask: str) -> None:
        """kilo's book of USDT in won, heard of now."""
        self.engine.apply(ListingsRead("kilo", self.now_ns, [Listing("kilo", "USDTKRW", COINS)]))
        bids, asks = (Levels([COINS.price(price)], [COINS.quantity("1000000")]) for price in (bid, ask))
        self.engine.apply(BookSnapshot("kilo", COINS.name, self.now_ns, self.now_ns, bids, asks))

    def fill(self, parent: ParentOrder, venue: str, fee: str = "0", fee_asset: str = "USDT") -> Fill:
        """The venue fills its child whole at the limit price, and says that it is over."""
        (child,) = [child for child in parent.live_children if child.terms.venue == venue]
        terms, self.fills = child.terms, self.fills + 1
        fill = Fill(
            venue, terms.child_id, terms.instrument, f"f{self.fills}", terms.side, terms.limit_price, terms.quantity,
            money(fee), fee_asset, Liquidity.TAKER, 0, self.now_ns,
        )  # fmt: skip
        report = ExecutionReport(
            venue, terms.child_id, terms.instrument, 0, Word.ENDED, About.PLACE, "FILLED", terms.quantity, "v1"
        )
        self.tell(FillReported(0, fill), report)
        return fill

    def expected(self, venue: str, asset: str) -> int:
        return self.engine.orders.state.venues[venue].expected[asset]


def excluded(parent: ParentOrder) -> dict[str, str]:
    found: dict[str, str] = parent.plans[0]["excluded"]
    return found


def test_an_order_in_won_takes_dollar_depth_in_the_order_of_net_price() -> None:
    """Local at 84,000,000 and 84,200,000; alpha's 60,050 dollars are 84,070,000 won, beta's 60,200 are 84,280,000."""
    busan = Routed(STATED)
    busan.order("ann", "c1", Side.SELL, "0.5", "84000000")
    busan.order("ann", "c2", Side.SELL, "0.5", "84200000")
    busan.dollars("alpha", "59900", "60050", "0.3")
    busan.dollars("beta", "59900", "60200", "5")
    parent = busan.order("bob", "c3", Side.BUY, "1.5", None)
    shares = {child.terms.venue: child.terms.quantity for child in parent.children.values()}
    assert shares == {"busan": KRW.quantity("1"), "alpha": KRW.quantity("0.3"), "beta": KRW.quantity("0.2")}
    placed = [effect.terms for effect in busan.effects if isinstance(effect, PlaceChild)]
    assert [(terms.venue, terms.instrument, terms.limit_price) for terms in placed] == [
        ("alpha", USDT, USDT.price("60050")),
        ("beta", USDT, USDT.price("60200")),
    ], "what leaves is in the venue's own quote"
    busan.fill(parent, "alpha", "18.015")
    busan.fill(parent, "beta", "12.04")
    assert parent.state is ParentState.FILLED
    # 18,015 and 12,040 dollars and their fees at 1,400, and 84,100,000 won here with 0.1 %.
    paid_here, paid_there = money("84184100"), money("42119077")
    assert busan.owns("bob") == (money("11.5"), money("1000000000") - paid_here - paid_there)
    notional = parent.notional * 10 ** (ASSET_DECIMALS - 30)
    assert notional + parent.fees["KRW"] == paid_here + paid_there, "the order tells what the ledger took"
    assert parent.fees.keys() == {"KRW"}
    ledger = busan.engine.orders.ledger
    assert (ledger.total("house", "BTC"), ledger.total("house", "KRW")) == (-money("0.5"), paid_there)
    assert busan.expected("alpha", "USDT") == money("1000000") - money("18033.015")
    assert busan.expected("beta", "BTC") == money("100.2")
    assert ledger.held("bob", "KRW") == 0
    _replays(busan)


def test_a_seller_gets_what_the_dollars_bring() -> None:
    """The bid of the dollar, and the fee at the venue is his."""
    busan = Routed(BOOKED)
    busan.coins("1399.5", "1400.5")
    busan.dollars("alpha", "60000", "60100", "1")
    parent = busan.order("bob", "c1", Side.SELL, "0.5", "83000000")
    busan.fill(parent, "alpha", "30")
    assert parent.state is ParentState.FILLED
    got = (30000 - 30) * Fraction("1399.5")
    assert busan.owns("bob") == (money("9.5"), money("1000000000") + money(str(int(got))))
    (child,) = parent.children.values()
    assert child.terms.rate is not None and child.terms.rate.source == "market"
    assert child.terms.limit_price >= USDT.price("59306.90"), "83,000,000 won at 1,399.5, rounded up to the tick"


def test_a_buyers_limit_in_won_holds_for_dollars() -> None:
    busan = Routed(STATED)
    busan.dollars("alpha", "59900", "60050", "1")
    parent = busan.order("bob", "c1", Side.BUY, "0.5", "84000000")
    (child,) = parent.children.values()
    assert child.terms.venue == "busan", "60,050 dollars are more than 84,000,000 won"
    assert parent.state is ParentState.WORKING


def test_the_rest_of_an_order_rests_here_and_never_in_dollars() -> None:
    busan = Routed(STATED)
    busan.dollars("alpha", "59900", "60000", "0.3")
    parent = busan.order("bob", "c1", Side.BUY, "0.5", "84000000")
    busan.dollars("alpha", "59900", "60100", "5")
    busan.fill(parent, "alpha")
    assert [child.terms.venue for child in parent.live_children] == ["busan"]
    assert parent.filled == KRW.quantity("0.3") and parent.state is ParentState.WORKING
    stranger = busan.order("desk", "c2", Side.BUY, "0.5", "80000000")
    assert "does not rest in USDT" in stranger.reason and not stranger.is_open


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        ((), ""),
        ((BOOKED,), "no rate from USDT to KRW; market: kilo: it does not list USDT/KRW"),
        ((replace(STATED, as_of_ns=START_NS - 100 * SECOND, max_age_ns=10 * SECOND),), "at most 10.0 s"),
        ((replace(STATED, peg=Peg(1500 * NET_ONE, 100)),), "1400 KRW is more than 100 bps from 1500"),
    ],
    ids=["no source", "no book", "old", "off its peg"],
)
def test_without_a_rate_to_believe_dollars_are_no_depth(sources: tuple[RateSource, ...], why: str) -> None:
    busan = Routed(*sources)
    busan.dollars("alpha", "59900", "60000", "5")
    parent = busan.order("bob", "c1", Side.BUY, "0.5", None)
    assert parent.state is ParentState.UNFILLED and not parent.children
    assert why in excluded(parent).get("alpha BTC/USDT", "")
    assert busan.owns("bob") == (money("10"), money("1000000000"))


def test_a_rate_that_loses_its_book_or_its_peg_is_used_no_more() -> None:
    busan = Routed(BOOKED)
    busan.dollars("alpha", "59900", "60000", "5")
    busan.coins("1399", "1401")
    assert busan.order("bob", "c1", Side.BUY, "0.1", None).children
    busan.coins("1379", "1381")
    depegged = busan.order("bob", "c2", Side.BUY, "0.1", None)
    assert not depegged.children and "bps from 1400" in excluded(depegged)["alpha BTC/USDT"]
    busan.coins("1399", "1401")
    busan.engine.apply(BookLost("kilo", COINS.name, busan.now_ns, "its socket closed"))
    lost = busan.order("bob", "c3", Side.BUY, "0.1", None)
    assert not lost.children and "its socket closed" in excluded(lost)["alpha BTC/USDT"]


def test_only_the_venues_that_the_listing_names_are_routed_to() -> None:
    busan = Routed(STATED)
    busan.dollars("gamma", "59900", "60000", "5")
    busan.dollars("alpha", "59900", "60000", "5")
    parent = busan.order("bob", "c1", Side.BUY, "0.5", None)
    assert {child.terms.venue for child in parent.children.values()} == {"alpha"}
    assert not any("gamma" in name for name in excluded(parent))
    other = Routed(STATED)
    other.engine.apply(ListingsRead("gamma", 0, [Listing("gamma", "BTCKRW", KRW)]))
    unnamed = other.order("bob", "c1", Side.BUY, "0.5", None)
    assert excluded(unnamed)["gamma"] == "Busan's listing of BTC/KRW does not route there"


def test_what_the_operator_allows_a_venue_in_dollars_holds_in_won() -> None:
    most = USDT.notional("6000")
    busan = Routed(STATED, policy=RoutingPolicy({"alpha": VenueTerms(cap_notional=most)}))
    busan.dollars("alpha", "59900", "60000", "5")
    parent = busan.order("bob", "c1", Side.BUY, "0.5", None)
    assert [child.terms.quantity for child in parent.children.values()] == [USDT.quantity("0.1")]


def test_a_balance_in_dollars_bounds_what_is_bought_with_won() -> None:
    busan = Routed(STATED)
    busan.tell(BalancesRead("alpha", 0, {"USDT": Balance(money("6006"), 0)}))
    busan.engine.orders.state.venues["alpha"].expected["USDT"] = money("6006")
    busan.dollars("alpha", "59900", "60000", "5")
    parent = busan.order("bob", "c1", Side.BUY, "0.5", None)
    assert [child.terms.quantity for child in parent.children.values()] == [USDT.quantity("0.1")]


def test_random_days_across_quotes_conserve_every_asset_and_agree_with_the_orders() -> None:
    """The ledger is summed up again from the fills alone, in fractions."""
    for seed in range(12):
        random, busan = Random(seed), Routed(BOOKED)
        parents: list[ParentOrder] = []
        for number in range(40):
            dollar = random.randrange(139_000, 141_000)
            busan.coins(f"{dollar / 100:.2f}", f"{(dollar + random.randrange(1, 50)) / 100:.2f}")
            for venue in ("alpha", "beta"):
                middle = random.randrange(57_000, 60_500)
                busan.dollars(venue, f"{middle - 7}.13", f"{middle + 9}.37", random.choice(("0.05", "0.333", "2")))
            side, account = random.choice((Side.BUY, Side.SELL)), random.choice(("ann", "bob"))
            price = None if random.randrange(3) == 0 else str(random.randrange(79_000, 85_000) * 1000)
            parent = busan.order(account, f"c{number}", side, random.choice(("0.1", "0.2517", "1.5")), price)
            parents.append(parent)
            while venues := [c.terms.venue for c in parent.live_children if c.terms.venue != "busan"]:
                fee_asset = random.choice(("USDT", "BTC"))
                busan.fill(parent, venues[0], "7.77" if fee_asset == "USDT" else "0.0001", fee_asset)
        ledger = busan.engine.orders.ledger
        accounts = ("ann", "bob", "fees", "house")
        assert sum(ledger.total(account, "KRW") for account in accounts) == money("2000000000")
        assert sum(ledger.total(account, "BTC") for account in accounts) == money("20")
        assert not [effect for effect in busan.effects if isinstance(effect, Alarm)]
        for account in ("ann", "bob"):
            moved = sum((_won(parent) for parent in parents if parent.terms.account == account), Fraction(0))
            assert busan.owns(account)[1] - money("1000000000") == moved
        assert any(child.terms.rate for parent in parents for child in parent.children.values())
        _replays(busan)


def _won(parent: ParentOrder) -> Fraction:
    """What an order did to its client's won, by its own figures."""
    sign = -1 if parent.terms.side is Side.BUY else 1
    return Fraction(sign * parent.notional * 10 ** (ASSET_DECIMALS - 30) - parent.fees.get("KRW", 0))
