"""Each fault does what it says, no more, and is over when it is switched off."""

import json
import zlib
from collections.abc import Sequence

import pytest

from connectors.simulation.contract import Hangup, HttpReply, HttpRequest, Outgoing, Ping, Push
from connectors.simulation.fault_kinds import DROPPED
from connectors.simulation.faults import FAULTS, FaultRefused, Faults, known_faults
from tests.simulation.markets import MS, SECOND, START_NS, exchange


class Stub:
    """Once a second it sends every client a ping, a frame about nothing, and one about each of two books."""

    name = "stub"

    def __init__(self) -> None:
        self.clients: list[int] = []
        self.calls: list[tuple[object, ...]] = []
        self.next_ns = START_NS
        self.binary = False

    def connected(self, client: int, path: str, now_ns: int) -> list[Outgoing]:
        self.calls.append(("connected", client, path, now_ns))
        self.clients.append(client)
        return [Push(client, "welcome")]

    def received(self, client: int, frame: str | bytes, now_ns: int) -> list[Outgoing]:
        self.calls.append(("received", client, frame, now_ns))
        if frame == "leave":
            return [Hangup(client, 1000, "as you wish")]
        return [Push(client, f"echo {frame!r}")]

    def disconnected(self, client: int, now_ns: int) -> None:
        self.calls.append(("disconnected", client, now_ns))
        if client in self.clients:
            self.clients.remove(client)

    def requested(self, request: HttpRequest, now_ns: int) -> HttpReply:
        return HttpReply(200, b"%d" % now_ns)

    def places_order(self, request: HttpRequest) -> bool:
        return False

    def woken(self, now_ns: int) -> list[Outgoing]:
        assert now_ns >= self.next_ns, "woken too early"
        second = (self.next_ns - START_NS) // SECOND
        self.next_ns += SECOND
        out: list[Outgoing] = []
        for client in self.clients:
            out += [Ping(client), Push(client, f"beat {second}")]
            out += [Push(client, self.frame(symbol, second), symbol) for symbol in ("BTCUSDT", "XRPUSDT")]
        return out

    def frame(self, symbol: str, second: int) -> str | bytes:
        text = f'{{"symbol":"{symbol}","id":{second},"price":"123.45"}}'
        return zlib.compress(text.encode()) if self.binary else text

    def wake_at_ns(self) -> int:
        return self.next_ns


class Bench:
    """A stub behind faults, with clients 1 and 2, carried as a carrier would."""

    def __init__(self, clients: Sequence[int] = (1,)) -> None:
        self.stub = Stub()
        self.exchange = exchange()
        self.faults = Faults(self.stub, self.exchange, seed=7)
        for client in clients:
            self.faults.connected(client, "/ws", START_NS)
        self.now_ns = START_NS - 1

    def second(self) -> list[Outgoing]:
        """What comes out by the end of the next second."""
        end_ns, out = (self.now_ns // SECOND + 1) * SECOND, list[Outgoing]()
        while (wake_ns := self.faults.wake_at_ns()) <= end_ns:
            self.now_ns = max(wake_ns, self.now_ns)
            out += self.faults.woken(self.now_ns)
        self.now_ns = end_ns
        return out

    def books(self, symbol: str = "BTCUSDT") -> list[int]:
        """The ids of the frames about a book, in the order of the next second."""
        return ids(self.second(), symbol)


def ids(out: list[Outgoing], symbol: str = "BTCUSDT") -> list[int]:
    return [json.loads(item.frame)["id"] for item in out if isinstance(item, Push) and item.symbol == symbol]


def frames(out: list[Outgoing], symbol: str = "BTCUSDT") -> list[str | bytes]:
    return [item.frame for item in out if isinstance(item, Push) and item.symbol == symbol]


def get(target: str) -> HttpRequest:
    return HttpRequest("GET", target, {}, b"")


def test_without_faults_everything_passes_unchanged() -> None:
    bench, plain = Bench(), Stub()
    plain.connected(1, "/ws", START_NS)
    for second in range(5):
        assert bench.second() == plain.woken(START_NS + second * SECOND)
    assert bench.faults.received(1, "hello", bench.now_ns) == [Push(1, "echo 'hello'")]
    assert bench.faults.requested(get("/depth"), 5) == HttpReply(200, b"5")
    assert (bench.faults.name, bench.faults.active(), bench.faults.reply_delay_ns(get("/"), 5)) == ("stub", [], 0)
    assert bench.faults.answers_pings(bench.now_ns)
    assert not bench.faults.refuses(bench.now_ns)
    bench.faults.disconnected(1, 9)
    bench.faults.disconnected(1, 10)
    assert [call for call in bench.stub.calls if call[0] == "disconnected"] == [("disconnected", 1, 9)]


def test_loss_by_count_takes_the_next_frames_of_that_book() -> None:
    bench = Bench()
    bench.faults.switch_on("loss", symbol="BTCUSDT", count=2)
    out = [bench.second() for _ in range(4)]
    assert [ids(one) for one in out] == [[], [], [2], [3]]
    assert [ids(one, "XRPUSDT") for one in out] == [[0], [1], [2], [3]]
    assert bench.faults.active() == []


def test_loss_by_chance_is_repeatable() -> None:
    benches = [Bench(), Bench()]
    for bench in benches:
        bench.faults.switch_on("loss", probability=0.3)
    kept, again = ([bench.books() for _ in range(200)] for bench in benches)
    assert kept == again
    assert 110 < sum(map(bool, kept)) < 170


def test_duplicate() -> None:
    bench = Bench()
    bench.faults.switch_on("duplicate", symbol="BTCUSDT")
    assert bench.books() == [0, 0]
    bench.faults.switch_off("duplicate")
    assert bench.books() == [1]


def test_reorder_swaps_with_the_next_of_the_same_book_and_client() -> None:
    bench = Bench(clients=(1, 2))
    bench.faults.switch_on("reorder", symbol="BTCUSDT", count=2)  # one for each client
    assert bench.books("BTCUSDT") == []
    out = bench.second()
    assert [(item.client, ids([item])[0]) for item in out if isinstance(item, Push) and item.symbol == "BTCUSDT"] == [
        (1, 1), (1, 0), (2, 1), (2, 0),
    ]  # fmt: skip
    assert bench.faults.active() == []
    assert bench.books() == [2, 2]


def test_reorder_gives_back_what_it_holds() -> None:
    bench = Bench()
    bench.faults.switch_on("reorder", symbol="BTCUSDT")
    bench.second()
    bench.faults.switch_off("reorder")
    assert bench.books() == [0, 1]

    bench.faults.switch_on("reorder", symbol="BTCUSDT")
    bench.second()
    bench.faults.disconnected(1, bench.now_ns)
    bench.faults.switch_off("reorder")
    assert bench.second() == []


def test_gap_takes_one_frame_that_is_about_a_book() -> None:
    bench = Bench()
    bench.faults.switch_on("gap")
    out = bench.second()
    assert Push(1, "beat 0") in out
    assert (ids(out), ids(out, "XRPUSDT")) == ([], [0])
    assert bench.books() == [1]


def test_silent() -> None:
    bench = Bench()
    bench.faults.switch_on("silent")
    assert bench.second() == []
    bench.faults.received(1, "hello", bench.now_ns)
    assert bench.stub.calls[-1][0] == "received"
    bench.faults.switch_off("silent")
    assert bench.books() == [1]
    bench.faults.switch_on("silent", symbol="BTCUSDT")
    out = bench.second()
    assert (ids(out), ids(out, "XRPUSDT")) == ([], [2])
    assert Ping(1) in out


def test_half_open() -> None:
    bench = Bench()
    bench.faults.switch_on("half_open")
    assert bench.second() == []
    assert bench.faults.received(1, "hello", bench.now_ns) == []
    assert bench.stub.calls[-1][0] == "connected"
    assert not bench.faults.answers_pings(bench.now_ns)
    assert bench.faults.connected(2, "/ws", bench.now_ns) == []
    bench.faults.switch_off("half_open")
    assert bench.books() == [1, 1]


@pytest.mark.parametrize("binary", [False, True])
def test_cut_delivers_half_a_frame_and_hangs_up(binary: bool) -> None:
    bench = Bench(clients=(1, 2))
    bench.stub.binary = binary
    whole = bench.stub.frame("BTCUSDT", 0)
    bench.faults.switch_on("cut", symbol="BTCUSDT")
    out = [item for item in bench.second() if item.client == 1]
    assert out[-2:] == [
        Push(1, whole[: len(whole) // 2], "BTCUSDT"),
        Hangup(1, DROPPED, "cut in the middle of a frame"),
    ]
    assert bench.stub.clients == [2]
    bench.faults.disconnected(1, bench.now_ns)
    assert sum(call[0] == "disconnected" for call in bench.stub.calls) == 1
    assert {item.client for item in bench.second()} == {2}


def test_disconnect_closes_every_connection_once() -> None:
    bench = Bench(clients=(1, 2))
    bench.faults.switch_on("disconnect", code=1001)
    assert bench.faults.wake_at_ns() <= bench.now_ns
    out = bench.second()
    assert [(item.client, item.code) for item in out if isinstance(item, Hangup)] == [(1, 1001), (2, 1001)]
    assert bench.stub.clients == []
    assert bench.faults.connected(3, "/ws", bench.now_ns) == [Push(3, "welcome")]
    assert bench.books() == [1]


def test_refuse() -> None:
    bench = Bench()
    bench.faults.switch_on("refuse")
    assert bench.faults.refuses(bench.now_ns)
    [hangup] = bench.faults.connected(2, "/ws", bench.now_ns)
    assert hangup == Hangup(2, DROPPED, "connections are refused")
    assert bench.stub.clients == [1]
    assert bench.books() == [0], "a connection that stands goes on"
    bench.faults.disconnected(2, bench.now_ns)
    assert bench.stub.calls[-1][0] == "connected"


def test_garbage_and_corrupt_spoil_one_text_frame() -> None:
    for name in ("garbage", "corrupt"):
        bench = Bench()
        bench.faults.switch_on(name, symbol="BTCUSDT")
        out = bench.second()
        [frame] = frames(out)
        assert isinstance(frame, str)
        assert frame != bench.stub.frame("BTCUSDT", 0)
        assert ids(out, "XRPUSDT") == [0]
        assert bench.books() == [1]
        if name == "corrupt":
            assert len(frame) == len(bench.stub.frame("BTCUSDT", 0))
            assert frame.count("?") == 1
        else:
            with pytest.raises(ValueError, match="Expecting"):
                json.loads(frame)


@pytest.mark.parametrize("name", ["garbage", "corrupt"])
def test_garbage_and_corrupt_spoil_one_compressed_frame(name: str) -> None:
    bench = Bench()
    bench.stub.binary = True
    bench.faults.switch_on(name, symbol="BTCUSDT")
    [frame] = frames(bench.second())
    assert isinstance(frame, bytes)
    with pytest.raises(zlib.error):
        zlib.decompress(frame)
    [frame] = frames(bench.second())
    assert isinstance(frame, bytes)
    assert zlib.decompress(frame)


def test_frozen_stops_the_market() -> None:
    bench = Bench()
    bench.faults.switch_on("frozen", symbol="BTCUSDT")
    assert {change.symbol for change in bench.exchange.advance(START_NS + 10 * SECOND)} == {"XRPUSDT"}
    bench.faults.switch_off("frozen")
    assert "BTCUSDT" in {change.symbol for change in bench.exchange.advance(START_NS + 20 * SECOND)}


def test_frozen_with_replay_repeats_one_frame_of_each_book() -> None:
    bench = Bench()
    bench.faults.switch_on("frozen", replay=True)
    out = [bench.second() for _ in range(3)]
    assert [ids(one) for one in out] == [ids(one, "XRPUSDT") for one in out] == [[0], [0], [0]]
    assert [Push(1, f"beat {second}") in one for second, one in enumerate(out)] == [True] * 3
    assert bench.exchange.advance(START_NS + 10 * SECOND)
    bench.faults.switch_off("frozen")
    assert bench.books() == [3]


def test_delay_keeps_the_order_even_when_it_is_lifted() -> None:
    bench = Bench()
    bench.faults.switch_on("delay", symbol="BTCUSDT", ns=2500 * MS)
    out = [bench.second() for _ in range(4)]
    assert [ids(one) for one in out] == [[], [], [], [0]]
    assert [ids(one, "XRPUSDT") for one in out] == [[0], [1], [2], [3]]
    bench.faults.switch_off("delay")
    out = [bench.second() for _ in range(4)]
    assert [ids(one) for one in out] == [[1], [2], [3, 4, 5, 6], [7]]


def test_what_is_delayed_is_lost_with_its_client() -> None:
    bench = Bench()
    bench.faults.switch_on("delay", ns=1500 * MS)
    bench.second()
    bench.faults.disconnected(1, bench.now_ns)
    assert bench.second() + bench.second() == []


def test_crossed() -> None:
    bench = Bench()
    bench.faults.switch_on("crossed", symbol="BTCUSDT")
    picture = bench.exchange.book("BTCUSDT")
    assert picture.bids.prices[0] > picture.asks.prices[0]
    assert bench.exchange.book("XRPUSDT").bids.prices[0] < bench.exchange.book("XRPUSDT").asks.prices[0]
    bench.faults.switch_off("crossed")
    picture = bench.exchange.book("BTCUSDT")
    assert picture.bids.prices[0] < picture.asks.prices[0]


def test_http_status_by_count_and_path() -> None:
    bench = Bench()
    bench.faults.switch_on("http_status", status=429, retry_after=7, count=2, path="/depth")
    replies = [bench.faults.requested(get(f"/depth?symbol={name}"), START_NS) for name in "abc"]
    assert [reply.status for reply in replies] == [429, 429, 200]
    assert replies[0].headers["Retry-After"] == "7"
    assert json.loads(replies[0].body)["code"] == 429
    bench.faults.switch_on("http_status", symbol="BTCUSDT")
    assert bench.faults.requested(get("/depth?symbol=XRPUSDT"), START_NS).status == 200
    reply = bench.faults.requested(get("/depth?symbol=BTCUSDT"), START_NS)
    assert reply.status == 503
    assert "Retry-After" not in reply.headers


def test_slow_snapshot() -> None:
    bench = Bench()
    bench.faults.switch_on("slow_snapshot", ns=3 * SECOND, path="/depth")
    assert bench.faults.requested(get("/depth"), START_NS).status == 200
    assert bench.faults.reply_delay_ns(get("/depth"), START_NS) == 3 * SECOND
    assert bench.faults.reply_delay_ns(get("/time"), START_NS) == 0


def test_delist_and_back() -> None:
    bench = Bench()
    bench.faults.switch_on("delist", symbol="BTCUSDT")
    assert not bench.exchange.listing("BTCUSDT").tradable
    bench.faults.switch_off("delist")
    assert bench.exchange.listing("BTCUSDT").tradable


def test_change_tick_and_back() -> None:
    bench = Bench()
    bench.faults.switch_on("change_tick", symbol="BTCUSDT", tick="0.5")
    assert bench.exchange.listing("BTCUSDT").tick == 5 * 10**7
    bench.faults.switch_off("change_tick")
    assert bench.exchange.listing("BTCUSDT").tick == 10**6


@pytest.mark.parametrize("offset_ns", [30 * SECOND, -30 * SECOND])
def test_clock_skew_shifts_every_time_that_the_venue_sees_and_prints(offset_ns: int) -> None:
    bench = Bench()
    bench.faults.switch_on("clock_skew", offset_ns=offset_ns)
    assert bench.faults.requested(get("/time"), START_NS).body == b"%d" % (START_NS + offset_ns)
    bench.faults.received(1, "hello", START_NS)
    assert bench.stub.calls[-1][-1] == START_NS + offset_ns
    assert bench.faults.wake_at_ns() == bench.stub.next_ns - offset_ns
    [first, *_] = bench.exchange.advance(START_NS + offset_ns + SECOND)
    assert 0 < first.venue_time_ns - offset_ns - START_NS <= SECOND


def test_a_fault_ends_at_its_time() -> None:
    bench = Bench()
    bench.faults.switch_on("silent", until_ns=START_NS + 1500 * MS)
    bench.faults.switch_on("frozen", symbol="BTCUSDT", until_ns=START_NS + 1200 * MS)
    assert [bench.books() for _ in range(3)] == [[], [], [2]]
    assert bench.faults.active() == []
    assert {change.symbol for change in bench.exchange.advance(START_NS + 9 * SECOND)} == {"BTCUSDT", "XRPUSDT"}


def test_the_end_of_a_fault_is_a_time_to_wake_at() -> None:
    bench = Bench()
    bench.second()
    bench.faults.switch_on("frozen", until_ns=START_NS + 300 * MS)
    assert bench.faults.wake_at_ns() == START_NS + 300 * MS
    assert bench.faults.woken(START_NS + 300 * MS) == []
    assert bench.faults.wake_at_ns() == START_NS + SECOND


def test_the_venue_may_hang_up_itself() -> None:
    bench = Bench()
    bench.faults.switch_on("delay", ns=10 * SECOND)
    bench.second()
    assert bench.faults.received(1, "leave", bench.now_ns) == [Hangup(1, 1000, "as you wish")]
    bench.faults.disconnected(1, bench.now_ns)
    assert sum(call[0] == "disconnected" for call in bench.stub.calls) == 1
    assert bench.faults.wake_at_ns() == bench.stub.next_ns, "nothing is held for a client that has gone"


def test_active_faults_are_plain_data() -> None:
    bench = Bench()
    bench.faults.switch_on("loss", symbol="BTCUSDT", probability=0.5, until_ns=START_NS + 99 * SECOND)
    bench.faults.switch_on("http_status", status=418)
    bench.faults.switch_on("silent", symbol="XRPUSDT")
    bench.faults.switch_on("silent", symbol="BTCUSDT")
    bench.faults.switch_on("silent", symbol="BTCUSDT", count=3)
    active = json.loads(json.dumps(bench.faults.active()))
    assert [(fault["name"], fault["symbol"]) for fault in active] == [
        ("loss", "BTCUSDT"), ("http_status", ""), ("silent", "XRPUSDT"), ("silent", "BTCUSDT"),
    ]  # fmt: skip
    assert active[0] == {
        "name": "loss",
        "symbol": "BTCUSDT",
        "until_ns": START_NS + 99 * SECOND,
        "count": 0,
        "probability": 0.5,
        "struck": 0,
    }
    assert active[3]["count"] == 3
    bench.faults.switch_off("silent", "XRPUSDT")
    bench.faults.switch_off("silent", "XRPUSDT")
    assert [fault["name"] for fault in bench.faults.active()] == ["loss", "http_status", "silent"]


def test_every_fault_is_described_in_one_sentence_of_its_own() -> None:
    known = json.loads(json.dumps(known_faults()))
    assert list(known) == list(FAULTS)
    descriptions = [fault["description"] for fault in known.values()]
    assert all(10 < len(text) < 160 and text.endswith(".") for text in descriptions)
    assert len(set(descriptions)) == len(FAULTS)
    assert known["delay"]["options"] == {"symbol": "", "until_ns": 0, "ns": SECOND}


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("lag", {}, "there is no fault 'lag'; there are delay, loss, "),
        ("loss", {"percent": 5}, "loss has no option 'percent'; it has symbol, until_ns, count, probability"),
        ("loss", {"struck": 5}, "loss has no option 'struck'"),
        ("delay", {"ns": "1s"}, "ns of delay is '1s'; it must be of type int"),
        ("delay", {"ns": True}, "ns of delay is True"),
        ("frozen", {"replay": 1}, "replay of frozen is 1; it must be of type bool"),
        ("silent", {"symbol": "ETHUSDT"}, "'ETHUSDT' is not listed on stub; BTCUSDT, XRPUSDT are"),
        ("delist", {}, "delist: '' is not listed on binance; BTCUSDT, XRPUSDT are"),
        ("change_tick", {"symbol": "BTCUSDT", "tick": "0.x"}, "change_tick: '0.x' is not a non-negative decimal"),
        ("change_tick", {"symbol": "BTCUSDT", "tick": "0"}, "change_tick: a tick of 0; it must be positive"),
        ("http_status", {"status": 200}, "http_status: status 200 is no failure; one from 400 to 599 is"),
    ],
)
def test_what_cannot_be_switched_on_is_refused_with_what_can(
    name: str, options: dict[str, str | int], complaint: str
) -> None:
    bench = Bench()
    with pytest.raises(FaultRefused) as refused:
        bench.faults.switch_on(name, **options)
    assert str(refused.value).startswith(complaint)
    assert bench.faults.active() == []


def test_options_may_come_as_text() -> None:
    bench = Bench()
    bench.faults.switch_on("frozen", replay="true", probability="0.5", count="3", until_ns=str(START_NS + SECOND))
    bench.faults.switch_on("change_tick", symbol="BTCUSDT", tick=1)
    frozen, change_tick = bench.faults.active()
    assert (frozen["replay"], frozen["probability"], frozen["count"]) == (True, 0.5, 3)
    assert frozen["until_ns"] == START_NS + SECOND
    assert change_tick["tick"] == "1"


def test_an_unknown_fault_cannot_be_switched_off() -> None:
    with pytest.raises(FaultRefused, match="there is no fault 'lag'; there are delay"):
        Bench().faults.switch_off("lag")


def test_nothing_is_kept_of_clients_that_have_gone() -> None:
    bench = Bench(clients=())
    for name in ("reorder", "delay", "duplicate"):
        bench.faults.switch_on(name)
    bench.faults.switch_on("frozen", replay=True)
    for client in range(200):
        bench.faults.connected(client, "/ws", bench.now_ns)
        bench.second()
        bench.faults.disconnected(client, bench.now_ns)
    kept = [bench.faults._held, bench.faults._held_until, bench.faults._clients]
    kept += [getattr(fault, name, []) for fault in bench.faults._faults.values() for name in ("held", "pictures")]
    assert not any(kept)
