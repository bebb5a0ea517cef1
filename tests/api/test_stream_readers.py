"""Readers at every pace: the same bytes for all, none holds up another or the engine, and who does not read is let
go."""

import asyncio
import socket
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from prometheus_client import generate_latest
from websockets.frames import Frame, Opcode

from aggregator.api import stream_hub
from aggregator.api.channels import Name, Topic
from aggregator.api.stream import REQUESTS_AT_MOST, frame_head
from aggregator.api.stream_metrics import StreamCollector
from aggregator.api.stream_reader import KEPT_AT_MOST, PATIENCE_NS, WAITING_AT_MOST, Drop
from aggregator.client.following import Follower, Subscription
from aggregator.domain.book import Levels
from aggregator.domain.effects import ParentChanged
from aggregator.domain.events import BookDelta, BookLost, Event
from aggregator.service.dispatcher import Dispatcher
from aggregator.service.metrics import registry
from aggregator.service.runner import Runner
from tests.api.broadcast import BOOK, BTC, Broadcast, Listener, Taking, listening, serving, settled
from tests.api.desk import TRADER, Desk, rest, trading

READERS = 200
BATCHES = 2000
FILLS = Topic(Name.FILLS, account=TRADER.account)


async def test_two_hundred_readers_are_sent_the_very_same_bytes() -> None:
    broadcast = Broadcast()
    readers = [Taking(broadcast, BOOK) for _ in range(READERS)]
    for quantity in range(3, 13):
        broadcast.bid("100", str(quantity))
        await broadcast.publish()
    await settled()
    first = readers[0].taken
    assert [message["type"] for message in readers[0].messages] == ["snapshot"] + ["change"] * 10
    for reader in readers:
        assert len(reader.taken) == len(first)
        assert all(ours is theirs for ours, theirs in zip(reader.taken, first, strict=True)), "encoded anew"


async def test_a_slow_reader_gets_the_newest_state_and_then_goes_on_while_a_fast_one_misses_nothing() -> None:
    broadcast = Broadcast()
    fast, slow = Taking(broadcast, BOOK), Taking(broadcast, BOOK)
    await settled()
    slow.gate.clear()
    changes = 3 * WAITING_AT_MOST
    for quantity in range(changes):
        broadcast.bid("100", f"{3 + quantity}")
        await broadcast.publish()
        await settled()
    assert [message["sequence"] for message in fast.messages] == [*range(changes + 1)]
    assert len(slow.taken) == 1
    slow.gate.set()
    await settled()
    broadcast.bid("100", "1")
    await broadcast.publish()
    await settled()
    _, under_way, caught_up, change = slow.messages
    assert (under_way["type"], under_way["sequence"]) == ("change", 1)
    assert (caught_up["type"], caught_up["sequence"]) == ("snapshot", changes)
    assert (change["type"], change["sequence"]) == ("change", changes + 1)
    follower = Follower([Subscription("book", BTC.name)])
    kept = [update.book for update in map(follower.received, slow.messages) if update is not None]
    assert (str(kept[-1].bids[0].quantity), follower.gaps) == ("3", 0)
    assert broadcast.hub.tally.skipped[Name.BOOK] == changes - 1


async def test_a_reader_that_catches_up_in_the_middle_of_a_round_is_not_told_twice() -> None:
    broadcast = Broadcast()
    slow = Taking(broadcast, BOOK)
    await settled()
    slow.gate.clear()
    for quantity in range(2 * WAITING_AT_MOST):
        broadcast.bid("100", f"{3 + quantity}")
        await broadcast.publish()
        await settled()
    (channel,) = slow.reader.channels
    broadcast.bid("100", "1")
    broadcast.views.refresh()
    change = channel.advance()
    assert change is not None
    slow.gate.set()
    await settled()
    slow.reader.offer(channel, change)
    await settled()
    last = slow.messages[-1]
    assert (last["type"], last["sequence"]) == ("snapshot", channel.sequence)


async def test_a_reader_that_is_behind_and_takes_in_nothing_at_all_is_let_go() -> None:
    broadcast = Broadcast()
    slow = Taking(broadcast, BOOK)
    slow.gate.clear()
    for quantity in range(2 * WAITING_AT_MOST):
        broadcast.bid("100", f"{3 + quantity}")
        await broadcast.publish()
        await settled()
    assert not slow.reader.dropped.done()
    broadcast.now_ns += PATIENCE_NS + 1
    await broadcast.publish()
    assert slow.reader.dropped.result() is Drop.STUCK


async def test_fills_are_never_skipped_a_reader_that_cannot_keep_up_with_them_is_let_go() -> None:
    desk = Desk()
    broadcast = Broadcast(desk.engine)
    async with trading(desk) as client:
        await rest(client, desk, quantity="100")
        slow = Taking(broadcast, FILLS, BOOK)
        await settled()
        slow.gate.clear()
        for _ in range(KEPT_AT_MOST + 2):
            desk.fill("0.001", "100.5", "0", "BTC")
            broadcast.told(desk.sent[-3:])
            await broadcast.publish()
            await settled()
        assert slow.reader.dropped.result() is Drop.SLOW


async def test_a_reader_that_never_reads_does_not_slow_the_engine() -> None:
    """By counts: every batch is applied, the other reader has the last state, what waits for the first is bounded."""
    broadcast = Broadcast()
    dispatcher = Dispatcher(broadcast.views, rate_per_second=1000)
    dispatcher.watch(broadcast.hub.note)
    runner = Runner(broadcast.engine, broadcast.clock_ns, dispatcher.carry_out)
    deep = Topic(Name.BOOK, BTC.name, "gross", 1000)
    never, fast = Taking(broadcast, BOOK, deep), Taking(broadcast, BOOK)
    never.gate.clear()
    tasks = [asyncio.create_task(runner.run()), asyncio.create_task(dispatcher.run())]
    for number in range(BATCHES):
        await runner.post([moved(number)])
        if number % 20 == 0:
            await asyncio.sleep(0.001)
    await until(lambda: runner.waiting == 0 and runner.applied >= BATCHES)
    last = f"{BATCHES}"
    await until(lambda: fast.messages[-1].get("bids", [[0, 0, {}]])[0][2].get("binance") == last)
    for task in tasks:
        task.cancel()
    sequences = [message["sequence"] for message in fast.messages]
    assert all(after == before + 1 for before, after in pairwise(sequences))
    assert not never.taken
    assert never.reader.waiting <= WAITING_AT_MOST


def moved(number: int) -> Event:
    quantity = BTC.quantity(str(number + 1))
    return BookDelta("binance", BTC.name, 1, 1, Levels([BTC.price("100")], [quantity]), Levels([], []))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.002)


async def test_a_socket_that_is_not_read_is_closed_with_code_and_reason_and_nobody_else_notices() -> None:
    """Many full books: more than the kernels of both sides hold for a reader."""
    broadcast = Broadcast()
    prices = [BTC.price(f"{50 + number // 1000}.{number % 1000:03d}") for number in range(1000)]
    async with serving(broadcast) as http, listening(http) as fast:
        await fast.answer("subscribe", channel="book", symbol="BTC/USDT", depth=1000)
        async with listening(http) as slow:
            own = slow.socket.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            await slow.ask("subscribe", channel="book", symbol="BTC/USDT", depth=1000)
            await until(lambda: broadcast.hub.subscriptions()[Name.BOOK] == 2)
            sequences, number = [], 0
            while not broadcast.hub.readers_behind:
                number += 1
                quantities = [BTC.quantity(f"{number}.{place:04d}") for place in range(1000)]
                broadcast.happened(BookDelta("binance", BTC.name, 1, 1, Levels(prices, quantities), Levels([], [])))
                await broadcast.publish()
                sequences += [message["sequence"] for message in await fast.until_now()]
            assert sequences == [*range(1, number + 1)]
            broadcast.now_ns += PATIENCE_NS + 1
            await broadcast.publish()
            code, reason = await slow.end()
        assert (code, reason) == (Drop.STUCK.code, Drop.STUCK.told)
        await until(lambda: broadcast.hub.tally.dropped == {"stuck": 1})
        broadcast.bid("100", "1")
        await broadcast.publish()
        assert [message["sequence"] for message in await fast.until_now()] == [number + 1]


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_frames_are_written_as_the_protocol_has_them(length: int) -> None:
    message = b"x" * length
    assert frame_head(length) + message == Frame(Opcode.TEXT, message).serialize(mask=False)


async def test_a_reader_that_does_not_answer_pings_is_let_go() -> None:
    broadcast = Broadcast(heartbeat_s=0.02)
    async with serving(broadcast) as http, listening(http, autoping=False) as dead:
        await dead.end()
        await until(lambda: broadcast.hub.tally.dropped == {"silent": 1})
        assert broadcast.hub.readers == 0


async def test_who_asks_too_much_is_let_go() -> None:
    async with serving(Broadcast()) as http, listening(http) as reader:
        for _ in range(REQUESTS_AT_MOST + 1):
            await reader.ask("ping")
        assert await reader.end() == (Drop.REQUESTS.code, Drop.REQUESTS.told)


async def test_who_asks_more_than_a_request_may_have_is_let_go() -> None:
    async with serving(Broadcast()) as http, listening(http) as reader:
        await reader.socket.send_str('{"op": "' + "x" * 5000 + '"}')
        code, _ = await reader.end()
        assert code == 1009


async def test_readers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_hub, "READERS_AT_MOST", 1)
    async with serving(Broadcast()) as http, listening(http):
        with pytest.raises(WSServerHandshakeError) as refused:
            await http.ws_connect("/v1/stream")
        assert refused.value.status == 429


async def test_different_subscriptions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_hub, "CHANNELS_AT_MOST", 1)
    async with serving(Broadcast()) as http, listening(http) as first, listening(http) as second:
        await first.answer("subscribe", channel="venues")
        assert (await second.answer("subscribe", channel="venues"))["type"] == "snapshot"
        error = await second.answer("subscribe", channel="trades", symbol="BTC/USDT")
        assert error["code"] == "too_many_requests"


async def test_a_stop_of_the_service_tells_its_readers() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http:
        reader = Listener(await http.ws_connect("/v1/stream"))
        await reader.answer("ping")
        ending = asyncio.create_task(reader.end())
        await broadcast.stream.shut_down(broadcast.server.app)
        assert await ending == (Drop.STOPPING.code, Drop.STOPPING.told)


async def test_a_defect_of_the_stream_lets_its_readers_go_and_the_next_begin_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broadcast = Broadcast()

    def fails(*_: Any) -> Any:
        raise ZeroDivisionError

    async with serving(broadcast) as http, listening(http) as reader:
        await reader.answer("subscribe", channel="venues")
        with monkeypatch.context() as patch:
            patch.setattr("aggregator.api.channels.VenuesSource.change", fails)
            broadcast.happened(BookLost("huobi", BTC.name, broadcast.now_ns, "disconnected"))
            assert (await reader.end())[0] == Drop.FAULTY.code
        assert "ZeroDivisionError" in caplog.text
        async with listening(http) as next_one:
            await next_one.answer("subscribe", channel="venues")
            broadcast.happened(BookLost("binance", BTC.name, broadcast.now_ns, "disconnected"))
            assert "binance" in (await next_one.next())["venues"]


async def test_while_nobody_reads_nothing_is_gathered() -> None:
    broadcast = Broadcast()
    async with serving(broadcast) as http:
        async with listening(http) as reader:
            await reader.answer("subscribe", channel="venues")
        await until(lambda: broadcast.hub.readers == 0)
        for number in range(100):
            broadcast.hub.note(ParentChanged(f"o{number}"))
        assert broadcast.hub.readers == 0
        async with listening(http) as reader:
            assert (await reader.answer("subscribe", channel="venues"))["sequence"] == 0


async def test_metrics_count_readers_messages_and_who_was_let_go() -> None:
    broadcast = Broadcast()
    collected = registry(StreamCollector(broadcast.hub))
    async with serving(broadcast) as http, listening(http) as reader:
        await reader.answer("subscribe", channel="book", symbol="BTC/USDT")
        broadcast.bid("100", "3")
        await broadcast.publish()
        await reader.until_now()
        text = generate_latest(collected).decode()
        for line in (
            "aggregator_stream_readers 1.0",
            'aggregator_stream_subscriptions{channel="book"} 1.0',
            'aggregator_stream_messages_total{channel="book"} 2.0',
            'aggregator_stream_messages_total{channel="answer"} 1.0',
        ):
            assert line in text
        broadcast.hub.drop_all(Drop.STOPPING)
        await reader.end()
        await until(lambda: broadcast.hub.readers == 0)
        assert 'aggregator_stream_dropped_readers_total{reason="stopping"} 1.0' in generate_latest(collected).decode()
