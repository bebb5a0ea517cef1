"""An order entry with a wire of its own, so that the account machine is tried without any venue's rules."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from aggregator.domain.errors import FrameRefused
from aggregator.domain.instrument import Instrument, Side
from aggregator.domain.lifecycle import Word
from aggregator.domain.order import ChildTerms, TimeInForce
from aggregator.domain.order_events import About, Balance, BalancesRead, ExecutionReport, OpenOrdersRead
from connectors.contract import Habits, Reply, Send
from connectors.trading import Allowance, Call, CallRefused, Cost, Errand, Purpose, Told

SECOND = 1_000_000_000
VENUE = "binance"
BTC = Instrument.of("BTC", "USDT")

ABOUT = {Purpose.PLACE: About.PLACE, Purpose.CANCEL: About.CANCEL, Purpose.ORDER: About.ASK}


def child(number: int = 1) -> ChildTerms:
    child_id = f"abcdef0000000001-{number:03}"
    return ChildTerms(
        child_id, child_id[:16], VENUE, "BTCUSDT", BTC, Side.BUY, 10**16, 10**16, TimeInForce.IOC, post_only=False
    )


class TwinOrderEntry:
    """A call's path is `/purpose/child/cursor`. A reply is JSON: `word` answers a reported errand, `next` is the cursor
    of a question that goes on, and what is no JSON is refused. On the stream `ready`, `refused`, `again` (refused, and
    asked for once more), `ping`, `report` and `moved` are understood.
    """

    def __init__(
        self,
        budgets: Mapping[str, Allowance] | None = None,
        first: Sequence[Errand] = (),
        habits: Habits | None = None,
        unaskable: frozenset[Purpose] = frozenset(),
    ) -> None:
        self.budgets = budgets or {}
        self.habits: Habits | None = habits or Habits(silence_ns=0)
        self._first = first
        self._unaskable = unaskable
        self.signed_ns: list[int] = []

    def errands_at_start(self) -> Sequence[Errand]:
        return self._first

    def costs(self, errand: Errand) -> Sequence[Cost]:
        return [Cost(name) for name in ("all", errand.purpose) if name in self.budgets]

    def call(self, errand: Errand, now_ns: int) -> Call:
        if errand.purpose in self._unaskable:
            raise CallRefused(f"{errand.purpose} is unknown here")
        self.signed_ns.append(now_ns)
        about = errand.terms.child_id if errand.terms is not None else errand.symbol
        return Call("POST", f"/{errand.purpose}/{about}/{errand.cursor}", str(now_ns).encode())

    def read(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        said = _read(reply.body)
        errands = (
            [errand._replace(cursor=said["next"])] if "next" in said and errand.purpose is not Purpose.PLACE else []
        )
        about = ABOUT.get(errand.purpose)
        if about is not None and errand.terms is not None:
            reports = [report(errand.terms, Word(said["word"]), about, now_ns)] if "word" in said else []
            return Told(reports, errands=errands)
        if errand.purpose is Purpose.BALANCES and reply.status == 200:
            return Told([BalancesRead(VENUE, now_ns, {"BTC": Balance(2, 1)})], errands=errands)
        if errand.purpose is Purpose.OPEN_ORDERS and reply.status == 200:
            return Told([OpenOrdersRead(VENUE, now_ns, ())], errands=errands)
        return Told(errands=errands)

    def greet(self, now_ns: int) -> Sequence[Send]:
        return [Send("login")]

    def read_frame(self, frame: str | bytes, now_ns: int) -> Told:
        match frame:
            case "ready":
                return Told(is_ready=True)
            case "refused":
                return Told(refusal="the key is unknown")
            case "again":
                return Told(sends=self.greet(now_ns), refusal="the subscription has ended")
            case "ping":
                return Told(sends=[Send("pong", urgent=True)])
            case "report":
                return Told([report(child(), Word.WORKING, About.STREAM, now_ns)])
            case "moved":
                return Told(errands=[Errand(Purpose.BALANCES)])
        raise FrameRefused(f"{frame!r} means nothing")


def report(terms: ChildTerms, word: Word, about: About, now_ns: int) -> ExecutionReport:
    return ExecutionReport(VENUE, terms.child_id, terms.instrument, now_ns, word, about)


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        raise FrameRefused(f"{body!r} is no JSON") from None
    return said if isinstance(said, dict) else {}
