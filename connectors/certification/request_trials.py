"""The checks of what a connector asks a venue for (market list, time, snapshots), and of how it bears refusals."""

from __future__ import annotations

from connectors.certification.bench import MINUTE, MS, SECOND, Asked, Bench, seconds
from connectors.certification.subject import NotExercised, Subject, Trial, Wrong

ON_ITS_WAY_NS = 11 * MS
"""What was asked before a refusal was heard of has arrived by then."""

ASKED_AT_MOST = 20
"""Of a venue that fails, in a minute: with waits that double."""

BANNED_S = 20
SKEW_NS = 30 * SECOND


def _reads_rules(subject: Subject) -> str:
    bench = _with_rules(subject)
    for symbol, book in bench.books.items():
        ours, true, instrument = book.listing, bench.exchange.listing(symbol), book.listing.instrument
        rules = (
            ("tick", ours.tick, true.tick, instrument.show_price),
            ("lot", ours.lot, true.lot, instrument.show_quantity),
            ("minimum quantity", ours.minimum_quantity, true.minimum_quantity, instrument.show_quantity),
            ("minimum notional", ours.minimum_notional, true.minimum_notional, instrument.show_notional),
        )
        for name, here, there, show in rules:
            if there and here not in (0, there):
                raise Wrong(f"{symbol}: a {name} of {show(here)} was read, and the venue's is {show(there)}")
        if not ours.tradable:
            raise Wrong(f"{symbol} was read as not traded, and the venue trades it")
    return f"tick, lot and minimums of {len(bench.books)} listings are the venue's"


def _delisted(subject: Subject) -> str:
    bench = _with_rules(subject)
    symbol, since_ns = bench.symbols[0], bench.now_ns
    bench.on("delist", symbol=symbol)
    bench.until(
        lambda: not bench.books[symbol].listing.tradable,
        3 * MINUTE,
        f"{symbol} is delisted, and still taken for traded",
    )
    bench.run(SECOND)
    if symbol not in bench.not_live:
        raise Wrong(f"{symbol} is delisted, and its book is still live")
    reason = bench.books[symbol].reason
    bench.require_only(symbol, since_ns)
    bench.off("delist")
    bench.until_live(4 * MINUTE)
    return f"{symbol} went out ({reason}), no other with it, and came back when it was listed again"


def _changed_tick(subject: Subject) -> str:
    bench = _with_rules(subject)
    symbol, since_ns = bench.symbols[0], bench.now_ns
    before = bench.books[symbol].listing
    tick = before.instrument.show_price(bench.exchange.listing(symbol).tick * 10)
    bench.on("change_tick", symbol=symbol, tick=tick)
    bench.until(
        lambda: bench.books[symbol].listing.tick == bench.exchange.listing(symbol).tick,
        3 * MINUTE,
        f"the venue's tick is {tick}, and {before.instrument.show_price(before.tick)} is still used",
    )
    if bench.gone_out(since_ns):
        raise Wrong(f"a change of rules cost {', '.join(bench.gone_out(since_ns))} its liveness: {bench.described()}")
    bench.off("change_tick")
    bench.settle()
    return f"{symbol} is on the tick of {tick}, and its book stayed true"


def _with_rules(subject: Subject) -> Bench:
    """A bench whose market list is read every minute, and has been once."""
    if subject.new_market_data().market_list() is None:
        raise NotExercised("the connector reads no market list")
    bench = Bench(subject, rules_every_ns=MINUTE).started()
    bench.until(lambda: bench.status.rules_read_ns > 0, 2 * MINUTE, "the market list was not read")
    bench.run(SECOND)
    return bench


def _skewed(subject: Subject) -> str:
    bench = Bench(subject).started()
    bench.run(MINUTE)
    if bench.status.clock_offset_ns is None:
        raise NotExercised("the connector asks for no time of the venue's")
    bench.on("clock_skew", offset_ns=SKEW_NS)

    def off_ns() -> int:
        return abs(bench.offset_ns - SKEW_NS)

    bench.until(
        lambda: off_ns() <= SECOND // 10, 2 * MINUTE, "the venue's clock is 30 s ahead, and that was not measured"
    )
    bench.until_live()
    since_ns = bench.now_ns
    bench.run(MINUTE)
    if bench.gone_out(since_ns):
        raise Wrong(f"a clock that is known to be ahead cost books their liveness: {bench.described()}")
    return f"measured to within {off_ns() // MS} ms, and the venue's times are judged by it"


def _slow_snapshot(subject: Subject) -> str:
    bench = Bench(subject).started()
    bench.run(30 * SECOND)
    symbol, since_ns = bench.symbols[0], bench.now_ns
    bench.on("slow_snapshot", ns=5 * SECOND)
    bench.lane.resync(symbol, "for the sake of a request")
    bench.until_live()
    bench.require_only(symbol, since_ns)
    asked = _asked(bench, since_ns, symbol)
    if not asked:
        raise NotExercised("a lost book comes back over the stream, without a request")
    if len(asked) > 2:
        raise Wrong(f"the snapshot was asked for {len(asked)} times while it was on its way")
    bench.off("slow_snapshot")
    bench.settle()
    return f"live {seconds(bench.now_ns - since_ns)} after it was lost; asked {len(asked)} times"


def _banned(subject: Subject, status: int) -> str:
    """A refusal by rate names for how long: within that nothing at all may be asked."""
    bench = Bench(subject, rules_every_ns=MINUTE).started()
    bench.run(10 * SECOND)
    bench.on("http_status", status=status, retry_after=BANNED_S, count=1)
    for symbol in bench.symbols:
        bench.lane.resync(symbol, "for the sake of a request")

    def refused() -> list[Asked]:
        return [asked for asked in bench.faults.asked if asked.status == status]

    try:
        bench.until(lambda: bool(refused()), 2 * MINUTE, "nothing was asked")
    except Wrong:
        raise NotExercised("the connector asks for nothing by HTTP") from None
    told_ns = refused()[0].at_ns + ON_ITS_WAY_NS
    bench.run(BANNED_S * SECOND)
    early = [asked for asked in _asked(bench, told_ns) if asked.at_ns < told_ns + (BANNED_S - 1) * SECOND]
    if early:
        after = seconds(early[0].at_ns - told_ns)
        raise Wrong(f"{status} with Retry-After {BANNED_S} was not obeyed: {early[0].target} was asked after {after}")
    bench.until_live(3 * MINUTE)
    bench.settle()
    return f"nothing was asked for {BANNED_S} s, then all was well again"


def _refused_429(subject: Subject) -> str:
    return _banned(subject, 429)


def _refused_418(subject: Subject) -> str:
    return _banned(subject, 418)


def _failing(subject: Subject) -> str:
    bench = Bench(subject).started()
    symbol, since_ns = bench.symbols[0], bench.now_ns
    bench.on("http_status", status=503)
    bench.lane.resync(symbol, "for the sake of a request")
    bench.run(MINUTE)
    bench.require_only(symbol, since_ns)
    asked = _asked(bench, since_ns, symbol)
    if len(asked) > ASKED_AT_MOST:
        raise Wrong(f"a failing venue was asked for {symbol} {len(asked)} times in a minute: it does not back off")
    bench.off("http_status")
    bench.until_live(2 * MINUTE)
    bench.settle()
    return f"asked {len(asked)} times in a minute; live again afterwards, and no other book went out"


def _asked(bench: Bench, since_ns: int, symbol: str = "") -> list[Asked]:
    return [asked for asked in bench.faults.asked if asked.at_ns >= since_ns and symbol in asked.target]


TRIALS = (
    Trial("market list", "the venue's list was read", "tick, lot, minimums are the venue's", _reads_rules),
    Trial("slow snapshot", "replies took five seconds", "it is waited for, and asked once", _slow_snapshot),
    Trial("429", f"a request was refused, Retry-After {BANNED_S}", "nothing is asked until then", _refused_429),
    Trial("418", f"the address was banned, Retry-After {BANNED_S}", "nothing is asked until then", _refused_418),
    Trial("5xx", "requests were answered 503 for a minute", "asked ever more rarely; other books stay", _failing),
    Trial("delisting", "the venue ended one market", "it is out by the market list, no other", _delisted),
    Trial("changed tick", "the venue changed a tick", "it is read, and the book stays true", _changed_tick),
    Trial("clock", "the venue's clock went 30 s ahead", "measured, and times are judged by it", _skewed),
)
