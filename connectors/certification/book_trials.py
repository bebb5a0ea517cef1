"""The checks of a connector's feed, on a simulated venue that is whole, and then broken in every way that feeds break.

Every live book is held against the truth all the time (`bench`): a check passes only if no book was ever wrong.
"""

from __future__ import annotations

from connectors.certification.bench import MINUTE, MS, SECOND, Bench, seconds
from connectors.certification.subject import NotExercised, Subject, Trial, Wrong
from connectors.simulation.faults import Option

NOTICED_NS = 3 * SECOND
"""After a limit has passed, what is stale is seen to be."""

ENOUGH = 50
"""Comparisons with the truth in half a minute."""

TRIES_AT_MOST = 20
"""Of connecting, on each line within two minutes: with waits that double."""


def _starts(subject: Subject) -> str:
    bench = Bench(subject)
    took_ns = bench.until_live()
    since_ns = bench.now_ns
    bench.run(30 * SECOND)
    if bench.gone_out(since_ns):
        raise Wrong(f"{', '.join(bench.gone_out(since_ns))} went out though nothing was broken: {bench.described()}")
    _require_compared(bench, ENOUGH)
    bench.settle()
    return f"live after {seconds(took_ns)}; {bench.compared} states of {len(bench.books)} books were the venue's own"


def _keeps_the_connection(subject: Subject) -> str:
    bench = Bench(subject, mean_wait_ns=300 * MS).started()
    since_ns, connects = bench.now_ns, bench.status.connects
    bench.run(5 * MINUTE)
    if bench.status.connects != connects:
        raise Wrong(f"the venue hung up on it, {bench.status.last_failure}: a heartbeat was not answered or not sent")
    if bench.gone_out(since_ns):
        raise Wrong(f"{', '.join(bench.gone_out(since_ns))} went out though nothing was broken: {bench.described()}")
    return f"{connects} connections stood for five minutes"


def _tells_trades(subject: Subject) -> str:
    bench = Bench(subject).started()
    bench.run(30 * SECOND)
    if not bench.trades:
        raise NotExercised("the connector tells no trades")
    names = {book.listing.instrument.name: symbol for symbol, book in bench.books.items()}
    for trade in bench.trades:
        key = names[trade.instrument], trade.price, trade.quantity, trade.taker
        if key not in bench.exchange.trades:
            inverted = (*key[:3], trade.taker.__class__("sell" if trade.taker == "buy" else "buy"))
            why = "the taker's side is inverted" if inverted in bench.exchange.trades else "the venue had no such trade"
            raise Wrong(f"trade {trade.trade_id} of {trade.instrument}: {why}")
    return f"{len(bench.trades)} trades were the venue's own"


def _struck(subject: Subject, fault: str, **options: Option) -> str:
    """One frame of one book: that book may be out for a while, never wrong, and no other with it."""
    bench = Bench(subject).started()
    symbol, since_ns = bench.symbols[0], bench.now_ns
    bench.on(fault, symbol=symbol, count=1, **options)
    bench.until(lambda: not bench.faults.active(), MINUTE, f"{fault} struck nothing")
    bench.run(2 * SECOND)
    bench.until_live()
    bench.run(10 * SECOND)
    bench.until_live()
    bench.require_only(symbol, since_ns)
    bench.settle()
    out = next((why for at_ns, _, why in bench.outs if at_ns >= since_ns), None)
    return f"{symbol} went out ({out}), came back, and was never wrong" if out else "no book went out or was wrong"


def _gap(subject: Subject) -> str:
    return _struck(subject, "gap")


def _reorder(subject: Subject) -> str:
    return _struck(subject, "reorder")


def _garbage(subject: Subject) -> str:
    return _struck(subject, "garbage")


def _corrupt(subject: Subject) -> str:
    return _struck(subject, "corrupt")


def _duplicate(subject: Subject) -> str:
    bench = Bench(subject).started()
    compared = bench.compared
    bench.on("duplicate", probability=0.5)
    bench.run(20 * SECOND)
    bench.off("duplicate")
    bench.until_live()
    bench.settle()
    return f"{bench.compared - compared} states were the venue's own"


def _crossed(subject: Subject) -> str:
    bench = Bench(subject).started()
    symbol, since_ns = bench.symbols[0], bench.now_ns
    bench.on("crossed", symbol=symbol)
    bench.until(lambda: symbol in bench.not_live, 5 * SECOND, "the crossed book was not taken out")
    reason = bench.books[symbol].reason
    bench.run(15 * SECOND)
    if symbol not in bench.not_live:
        raise Wrong(f"{symbol} is crossed at the venue, and was taken for live again")
    bench.off("crossed")
    bench.until_live(MINUTE)
    bench.require_only(symbol, since_ns)
    bench.settle()
    return f"{symbol} went out: {reason}"


def _frozen(subject: Subject) -> str:
    bench = Bench(subject).started()
    limit_ns = max(bench.limits.silent_ns, bench.limits.frozen_ns)
    if not limit_ns:
        raise NotExercised("the file's `freshness.silent` and `frozen` are off")
    bench.on("frozen")
    took_ns = bench.until(
        lambda: len(bench.not_live) == len(bench.books), limit_ns + NOTICED_NS, "books that stand still were not stale"
    )
    bench.off("frozen")
    bench.until_live()
    bench.settle()
    return f"stale after {seconds(took_ns)}"


def _repeats(subject: Subject) -> str:
    """The venue goes on sending one old frame of each book."""
    bench = Bench(subject).started()
    limit_ns = max(bench.limits.silent_ns, bench.limits.behind_ns, bench.limits.frozen_ns)
    if not limit_ns:
        raise NotExercised("the file's `freshness` is off")
    bench.on("frozen", replay=True)
    bench.run(limit_ns + NOTICED_NS + SECOND)
    if len(bench.not_live) < len(bench.books):
        raise Wrong(
            f"one frozen picture was repeated for {seconds(limit_ns)}, and taken for fresh: {bench.described()}"
        )
    reason = bench.books[bench.symbols[0]].reason
    bench.off("frozen")
    bench.until_live(2 * MINUTE)
    bench.settle()
    return f"out: {reason}"


def _silent(subject: Subject) -> str:
    bench = Bench(subject).started()
    symbol, since_ns, limit_ns = bench.symbols[0], bench.now_ns, bench.limits.silent_ns
    if not limit_ns:
        raise NotExercised("the file's `freshness.silent` is off")
    bench.on("silent", symbol=symbol)
    took_ns = bench.until(lambda: symbol in bench.not_live, limit_ns + NOTICED_NS, "the silent book was not stale")
    bench.require_only(symbol, since_ns)
    bench.off("silent")
    bench.until_live()
    bench.settle()
    return f"{symbol} was stale after {seconds(took_ns)}, and no other"


def _dead(subject: Subject) -> str:
    """Nothing is closed, and nothing comes."""
    bench = Bench(subject).started()
    connects = bench.status.connects
    bench.on("half_open")
    bench.until(
        lambda: len(bench.not_live) == len(bench.books),
        max(bench.limits.silent_ns, 5 * MINUTE) + NOTICED_NS,
        "a dead connection's books stayed live",
    )
    took_ns = bench.until(lambda: bench.status.connects > connects, 5 * MINUTE, "a dead connection was not replaced")
    bench.off("half_open")
    bench.until_live(3 * MINUTE)
    bench.settle()
    return f"out, and given up after {seconds(took_ns)} more"


def _late(subject: Subject) -> str:
    bench = Bench(subject).started()
    behind_ns = bench.limits.behind_ns
    if not behind_ns:
        raise NotExercised("the file's `freshness.behind` is off")
    if not all(book.venue_time_ns for book in bench.books.values()):
        raise NotExercised("the venue states no time of its own")
    delay_ns = behind_ns + 5 * SECOND
    bench.on("delay", ns=delay_ns)
    bench.run(delay_ns + 20 * SECOND)
    fresh = [symbol for symbol in bench.symbols if symbol not in bench.not_live]
    if fresh:
        raise Wrong(f"what came {seconds(delay_ns)} late was taken for fresh: {bench.described()}")
    reason = bench.books[bench.symbols[0]].reason
    bench.off("delay")
    bench.run(delay_ns)
    bench.until_live(2 * MINUTE)
    bench.settle()
    return f"out: {reason}"


def _lost_connection(subject: Subject) -> str:
    bench = Bench(subject).started()
    connects = bench.status.connects
    bench.on("disconnect")
    bench.until(
        lambda: len(bench.not_live) == len(bench.books),
        5 * SECOND,
        "the connection was closed, and its books stayed live",
    )
    took_ns = bench.until_live()
    if bench.status.connects <= connects:
        raise Wrong("books are live without a new connection")
    bench.settle()
    return f"out at once, live again after {seconds(took_ns)}"


def _refused_connections(subject: Subject) -> str:
    bench = Bench(subject).started()
    bench.on("refuse")
    bench.on("disconnect")
    since_ns = bench.now_ns
    bench.run(2 * MINUTE)
    tries = sum(at_ns >= since_ns for at_ns in bench.faults.connects_ns)
    lines = bench.status.connections
    if tries > TRIES_AT_MOST * lines:
        raise Wrong(f"{tries} connections were tried in two minutes on {lines} lines: it does not back off")
    bench.off("refuse")
    bench.until_live(2 * MINUTE)
    bench.settle()
    return f"{tries} tries in two minutes, live again afterwards"


def _require_compared(bench: Bench, least: int) -> None:
    if bench.compared < least:
        raise Wrong(f"only {bench.compared} states were told, while the venue's books moved hundreds of times")


TRIALS = (
    Trial("start", "the books were followed from nothing", "live, and every state is the venue's own", _starts),
    Trial("heartbeat", "five quiet minutes passed", "the connection stands, no book goes out", _keeps_the_connection),
    Trial("trades", "public trades were followed", "each is the venue's own, with the taker's side", _tells_trades),
    Trial("gap", "one frame of one book was lost", "that book is out until it is whole again, no other", _gap),
    Trial("duplicate", "half of all frames came twice", "no book is ever wrong", _duplicate),
    Trial("reorder", "two frames of one book changed places", "no book is ever wrong, no other goes out", _reorder),
    Trial("garbage", "one frame was replaced by nonsense", "no book is ever wrong, no other goes out", _garbage),
    Trial("corrupt", "one character of a frame was replaced", "no book is ever wrong, no other goes out", _corrupt),
    Trial("crossed", "a book with its bid above its ask was sent", "it is out while that lasts, no other", _crossed),
    Trial("frozen", "the books stood still", "all are stale within the file's limit", _frozen),
    Trial("repeated", "one old frame was sent again and again", "all are out within the file's limits", _repeats),
    Trial("silent", "nothing came of one book", "it is stale within the file's limit, no other", _silent),
    Trial("dead connection", "nothing came, nothing was closed", "books are out, the connection replaced", _dead),
    Trial("late", "frames came later than `behind` allows", "books are out though frames come", _late),
    Trial("lost connection", "the connection was closed", "books are out at once, and come back", _lost_connection),
    Trial("refused connection", "connections were refused", "tried ever more rarely", _refused_connections),
)
