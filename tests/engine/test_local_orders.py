"""Orders that meet in Busan's own book: matched on the spot, settled in the ledger, beside partners' depth."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from aggregator.domain.book import Levels
from aggregator.domain.effects import Alarm, Effect, LocalHappened, PlaceChild, RequestAnswered
from aggregator.domain.events import BookSnapshot, ListingsRead
from aggregator.domain.instrument import Fees, Instrument, Instruments, Listing, Side
from aggregator.domain.local import BookState, LocalRules, SelfTrade, TickBand
from aggregator.domain.numbers import RATE_ONE, parse_decimal
from aggregator.domain.order import (
    ASSET_DECIMALS,
    Fill,
    Liquidity,
    OrderTerms,
    OrderType,
    ParentOrder,
    ParentState,
    TimeInForce,
)
from aggregator.domain.order_events import (
    AmendRequested,
    Balance,
    BalancesRead,
    BookTurned,
    CancelRequested,
    FillReported,
    LedgerAct,
    LedgerRequested,
    ListingSet,
    OpenOrdersRead,
    OrderEvent,
    OrderRequested,
    Started,
)
from aggregator.domain.plan import RouteRequest
from aggregator.engine.digest import orders_sha256
from aggregator.engine.engine import Engine
from aggregator.routing.planner import plan
from aggregator.routing.record import Seen

MS = 1_000_000
START_NS = 1_780_000_000_000 * MS
KRW = Instrument.of("BTC", "KRW")
THOUSAND = KRW.price("1000")


def money(text: str) -> int:
    return parse_decimal(text, ASSET_DECIMALS)


def rules(**changes: Any) -> LocalRules:
    made = LocalRules(
        KRW, (TickBand(KRW, 0, THOUSAND),), KRW.quantity("0.0001"), KRW.quantity("0.0001"), 0, KRW.notional("5000"),
        KRW.price("80000000"), 2000, 500, Fees(RATE_ONE // 2000, RATE_ONE // 1000), SelfTrade.CANCEL_NEWEST,
    )  # fmt: skip
    return replace(made, **changes)


class Busan:
    """An engine with one local book, and participants who have money. Everything is written down as it would be."""

    def __init__(self, accounts: tuple[str, ...] = ("ann", "bob"), engine: Engine | None = None) -> None:
        self.engine = engine or Engine()
        self.now_ns = START_NS
        self.journal: list[tuple[OrderEvent, list[Seen], list[Effect]]] = []
        self.effects: list[Effect] = []
        self.tell(Started(0, "abc123"), ListingSet(0, rules(), BookState.OPEN))
        for asset in ("BTC", "KRW"):
            self.act(LedgerAct.CUSTODY, "custody", asset, "1000000000000")
        for account in accounts:
            self.act(LedgerAct.OPEN, account)
            self.act(LedgerAct.CREDIT, account, "BTC", "10")
            self.act(LedgerAct.CREDIT, account, "KRW", "1000000000")

    def tell(self, *events: OrderEvent) -> list[Effect]:
        told: list[Effect] = []
        for event in events:
            self.now_ns += MS
            stamped: OrderEvent = replace(event, received_ns=self.now_ns)  # type: ignore[arg-type]
            effects = list(self.engine.apply(stamped))
            self.journal.append((stamped, self.engine.take_seen(), effects))
            told += effects
        self.effects += told
        self.engine.orders.ledger.check()
        return told

    def act(self, act: LedgerAct, account: str, asset: str = "", amount: str = "0") -> str:
        self.tell(LedgerRequested(0, act, account, asset, money(amount), "admin"))
        return self.answer().code

    def answer(self) -> RequestAnswered:
        return [effect for effect in self.effects if isinstance(effect, RequestAnswered)][-1]

    def order(self, account: str, name: str, side: Side, quantity: str, price: str | None, **terms: Any) -> ParentOrder:
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        force = TimeInForce.IOC if price is None else TimeInForce.GTC
        limit = None if price is None else KRW.price(price)
        given = {"limit_price": limit, "time_in_force": force, **terms}
        made = OrderTerms(account, name, KRW, side, kind, KRW.quantity(quantity), **given)
        self.tell(OrderRequested(0, made))
        parent = self.engine.orders.find(account, name)
        assert parent is not None
        return parent

    def owns(self, account: str) -> tuple[int, int]:
        ledger = self.engine.orders.ledger
        return ledger.total(account, "BTC"), ledger.total(account, "KRW")

    def partner(self, ask: str, quantity: str) -> None:
        """A partner venue that shows one ask; we have no account there unless a test says so."""
        listing = Listing("alpha", "BTCKRW", KRW, THOUSAND, KRW.quantity("0.0001"), fees=Fees(0, RATE_ONE // 1000))
        self.engine.apply(ListingsRead("alpha", self.now_ns, [listing]))
        asks = Levels([KRW.price(ask)], [KRW.quantity(quantity)])
        self.engine.apply(BookSnapshot("alpha", KRW.name, self.now_ns, self.now_ns, Levels([], []), asks))


def test_an_order_rests_in_the_local_book_and_shows_in_the_consolidated_one() -> None:
    busan = Busan()
    parent = busan.order("ann", "c1", Side.BUY, "0.5", "79000000")
    (child,) = parent.children.values()
    assert (child.terms.venue, child.state, parent.state) == ("busan", "working", ParentState.WORKING)
    assert list(busan.engine.market.consolidated(KRW.name).venues) == ["busan"]
    assert not [effect for effect in busan.effects if isinstance(effect, PlaceChild)], "nothing leaves the house"
    assert busan.engine.orders.ledger.held("ann", "KRW") == money("39539500"), "0.5 at 79,000,000 and a fee of 0.1 %"


def test_two_participants_trade_and_both_balances_move_as_the_trade_says() -> None:
    busan = Busan()
    maker = busan.order("ann", "c1", Side.SELL, "0.5", "80000000")
    taker = busan.order("bob", "c2", Side.BUY, "0.2", "80500000")
    assert (taker.state, maker.state, maker.filled) == (ParentState.FILLED, ParentState.WORKING, KRW.quantity("0.2"))
    # 16,000,000 won: the maker pays 0.05 %, the taker 0.1 %, each in won.
    assert busan.owns("ann") == (money("9.8"), money("1015992000"))
    assert busan.owns("bob") == (money("10.2"), money("983984000"))
    assert busan.engine.orders.ledger.total("fees", "KRW") == money("24000")
    assert busan.engine.orders.ledger.held("bob", "KRW") == 0
    assert busan.engine.orders.ledger.held("ann", "BTC") == money("0.3")
    assert not busan.engine.orders.state.venues, "what is here needs no reconciling"
    trades = [effect.event for effect in busan.effects if isinstance(effect, LocalHappened)]
    assert [type(event).__name__ for event in trades].count("Traded") == 1


def test_an_order_that_ends_frees_what_was_held_for_it() -> None:
    busan = Busan()
    parent = busan.order("ann", "c1", Side.BUY, "0.5", "79000000")
    busan.tell(CancelRequested(0, "ann", parent.order_id))
    assert parent.state is ParentState.UNFILLED and busan.engine.orders.ledger.held("ann", "KRW") == 0
    assert busan.engine.orders.local.books[KRW.name].order(next(iter(parent.children))) is None


def test_less_of_an_order_keeps_its_place_and_frees_the_rest() -> None:
    busan = Busan(("ann", "bob", "cyd"))
    first = busan.order("ann", "c1", Side.BUY, "0.5", "79000000")
    second = busan.order("bob", "c2", Side.BUY, "0.5", "79000000")
    busan.tell(AmendRequested(0, "ann", first.order_id, KRW, KRW.quantity("0.1")))
    assert busan.engine.orders.ledger.held("ann", "KRW") == money("7907900")
    busan.order("cyd", "c3", Side.SELL, "0.1", "79000000")
    assert (first.state, second.filled) == (ParentState.FILLED, 0), "ann is still before bob"
    busan.tell(AmendRequested(0, "bob", second.order_id, KRW, KRW.quantity("0.6")))
    assert second.state is ParentState.WORKING and second.reserved == KRW.quantity("0.6")


@pytest.mark.parametrize(
    ("account", "quantity", "price", "code"),
    [
        ("ann", "20", "80000000", "insufficient_funds"),
        ("nobody", "0.1", "80000000", ""),
        ("ann", "0.00005", "80000000", "off_lot"),
        ("ann", "0.1", "80000001", "off_tick"),
        ("ann", "0.1", "200000000", "outside_band"),
        ("ann", "0.00001", "80000000", "off_lot"),
        ("ann", "0", "80000000", "bad_terms"),
    ],
)
def test_what_cannot_be_taken_changes_nothing(account: str, quantity: str, price: str, code: str) -> None:
    busan = Busan()
    before = busan.owns("ann"), busan.engine.orders.local.document()[KRW.name]["orders"]
    parent = busan.order(account, "c1", Side.BUY, quantity, price)
    assert parent.code == code and not parent.is_open and not parent.filled and (parent.reason or parent.children)
    after = busan.owns("ann"), busan.engine.orders.local.document()[KRW.name]["orders"]
    assert before == after and not busan.engine.orders.ledger.holds


def test_a_halted_book_takes_nothing_and_lets_cancels_through() -> None:
    busan = Busan()
    resting = busan.order("ann", "c1", Side.BUY, "0.5", "79000000")
    busan.tell(BookTurned(0, KRW, BookState.HALTED, "operator", "drill"))
    refused = busan.order("bob", "c2", Side.SELL, "0.5", "79000000")
    assert not refused.filled and not refused.is_open and "halted" in refused.reason
    busan.tell(CancelRequested(0, "ann", resting.order_id))
    assert resting.state is ParentState.UNFILLED


def test_at_an_equal_net_price_the_local_book_comes_first() -> None:
    busan = Busan()
    busan.order("ann", "c1", Side.SELL, "1", "80000000")
    busan.partner("80000000", "1")
    seen = busan.engine.orders.preview(_request("1"))
    assert [depth.venue for depth in seen.venues] == ["busan", "alpha"]
    planned = plan(seen.request, [replace(depth, reason=None, holdings=None) for depth in seen.venues], seen.policy)
    assert [(child.venue, child.quantity) for child in planned.children] == [("busan", KRW.quantity("1"))]


def test_an_order_crosses_local_and_partner_depth_in_the_order_of_net_price() -> None:
    """Local at 80,000,000 and 80,200,000 with 0.1 % on top, the partner at 80,100,000 with 0.1 % as well."""
    busan = Busan()
    busan.tell(Started(0, "abc123", ("alpha",)))
    plenty = {"KRW": Balance(money("1000000000"), 0), "BTC": Balance(money("10"), 0)}
    busan.tell(BalancesRead("alpha", 0, plenty), OpenOrdersRead("alpha", 0, ()))
    busan.order("ann", "c1", Side.SELL, "0.5", "80000000")
    busan.order("ann", "c2", Side.SELL, "0.5", "80200000")
    busan.partner("80100000", "0.5")
    told_before = len(busan.effects)
    parent = busan.order("bob", "c3", Side.BUY, "1.2", None)
    local, outside = sorted(parent.children.values(), key=lambda child: child.terms.venue != "busan")
    assert (local.filled, local.state) == (KRW.quantity("0.7"), "filled")
    assert [fill.price for fill in local.fills.values()] == [KRW.price("80000000"), KRW.price("80200000")]
    placed = [effect for effect in busan.effects[told_before:] if isinstance(effect, PlaceChild)]
    assert [effect.terms.quantity for effect in placed] == [KRW.quantity("0.5")], "the partner's share leaves the house"
    fill = Fill(
        "alpha", outside.terms.child_id, KRW, "f1", Side.BUY, KRW.price("80100000"), KRW.quantity("0.5"),
        money("0.0005"), "BTC", Liquidity.TAKER, 0, 0,
    )  # fmt: skip
    busan.tell(FillReported(0, fill))
    assert parent.state is ParentState.FILLED
    # Bob: 0.7 here for 40,000,000 + 16,040,000 and 0.1 %, 0.5 less its fee there for 40,050,000.
    assert busan.owns("bob") == (money("11.1995"), money("1000000000") - money("96146040"))
    ledger = busan.engine.orders.ledger
    assert (ledger.total("house", "BTC"), ledger.total("house", "KRW")) == (-money("0.4995"), money("40050000"))
    assert busan.engine.orders.state.venues["alpha"].expected["KRW"] == money("959950000")
    assert ledger.held("bob", "KRW") == 0
    _replays(busan)


def test_an_account_that_the_ledger_does_not_know_has_no_local_book() -> None:
    busan = Busan()
    busan.order("ann", "c1", Side.SELL, "1", "80000000")
    stranger = busan.order("desk", "c1", Side.BUY, "1", None)
    assert stranger.state is ParentState.UNFILLED and "no account in Busan's ledger" in stranger.reason


def test_one_does_not_trade_with_oneself() -> None:
    busan = Busan()
    busan.order("ann", "c1", Side.SELL, "1", "80000000")
    own = busan.order("ann", "c2", Side.BUY, "1", "80000000")
    assert not own.filled and busan.owns("ann") == (money("10"), money("1000000000"))


def test_random_days_conserve_what_was_credited_and_replay_to_the_same_state() -> None:
    for seed in range(15):
        random, busan = Random(seed), Busan(("ann", "bob", "cyd"))
        parents: list[ParentOrder] = []
        for number in range(60):
            account, side = random.choice(("ann", "bob", "cyd")), random.choice((Side.BUY, Side.SELL))
            price = None if random.randrange(5) == 0 else str(random.randrange(79_500, 80_500) * 1000)
            parent = busan.order(account, f"c{number}", side, random.choice(("0.1", "0.25", "1.5")), price)
            parents.append(parent)
            if random.randrange(3) == 0:
                other = random.choice(parents)
                busan.tell(CancelRequested(0, other.terms.account, other.order_id))
            _holds_equal_what_open_orders_need(busan)
        for asset, credited in (("BTC", money("30")), ("KRW", money("3000000000"))):
            accounts = ("ann", "bob", "cyd", "fees", "house")
            assert sum(busan.engine.orders.ledger.total(account, asset) for account in accounts) == credited
        assert not [effect for effect in busan.effects if isinstance(effect, Alarm)]
        _replays(busan)


def _holds_equal_what_open_orders_need(busan: Busan) -> None:
    """By hand, from the orders: a buyer's limit with the highest fee, a seller's coins."""
    orders = busan.engine.orders
    for account in ("ann", "bob", "cyd"):
        needed = {"BTC": 0, "KRW": 0}
        for parent in orders.state.open.values():
            if parent.terms.account == account:
                left = parent.quantity - parent.filled
                if parent.terms.side is Side.SELL:
                    needed["BTC"] += left * 10 ** (ASSET_DECIMALS - KRW.quantity_decimals)
                else:
                    assert parent.limit_price is not None
                    worth = left * parent.limit_price * 10 ** (ASSET_DECIMALS - 30)
                    needed["KRW"] += worth + -(-worth // 1000)
        assert {asset: orders.ledger.held(account, asset) for asset in needed} == needed


def _replays(busan: Busan) -> None:
    again, half = Engine(), len(busan.journal) // 2
    for number, (event, seen, effects) in enumerate(busan.journal):
        assert list(again.replay(event, seen)) == effects, f"entry {number}"
        if number == half:  # and from a snapshot
            document, again = again.orders.document(), Engine()
            again.orders.restore(document, Instruments([KRW, Instrument.of("BTC", "USDT")]))
    live = busan.engine.orders.document()
    assert orders_sha256(again.orders.document()) == orders_sha256(live)
    ours, theirs = (engine.market.consolidated(KRW.name, venues=["busan"]) for engine in (again, busan.engine))
    assert (ours.bids, ours.asks) == (theirs.bids, theirs.asks)


def _request(quantity: str) -> RouteRequest:
    return RouteRequest(KRW, Side.BUY, quantity=KRW.quantity(quantity), as_of_ns=START_NS)
