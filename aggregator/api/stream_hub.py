"""Who reads which channel, and what moves the channels on.

The dispatcher tells `note` what happened, which only remembers it. One task then moves each channel on and offers what
changed to its readers, who are sent to at their own pace: none of them holds up another, nor the engine.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import product
from typing import NamedTuple

from aggregator.api.channels import (
    TRADES_KEPT,
    BookSource,
    Channel,
    Clock,
    Name,
    Source,
    Topic,
    TradesSource,
    VenuesSource,
)
from aggregator.api.market import VenueEntry
from aggregator.api.order_lookup import EVERYONE
from aggregator.api.problems import Code, Problem
from aggregator.api.reading import instrument_named
from aggregator.api.stream_accounts import FillsSource, OrdersSource, Own
from aggregator.api.stream_reader import Drop, Reader, Tally
from aggregator.books.consolidated import View
from aggregator.domain.effects import HealthChanged, LocalHappened, ParentChanged
from aggregator.domain.events import Trade
from aggregator.domain.local import LOCAL_VENUE, Traded
from aggregator.engine.engine import Engine
from aggregator.engine.views import Views
from aggregator.service.dispatcher import Watched

log = logging.getLogger("aggregator.stream")

QUIET_S = 0.005
"""Between two rounds: what happens meanwhile goes out together."""

TOGETHER = 16
"""Channels that are moved on before everyone else has a turn."""

READERS_TOGETHER = 64
"""Readers that are sent to before everyone else has a turn."""

READERS_AT_MOST = 1000
CHANNELS_AT_MOST = 512
SUBSCRIPTIONS_AT_MOST = 64
"""Of one reader."""


class _Open(NamedTuple):
    """A channel that somebody reads."""

    channel: Channel
    readers: dict[Reader, None]


class Hub:
    """`tally` counts what readers were sent. While nobody reads, nothing is done but to keep the newest trades."""

    def __init__(self, engine: Engine, views: Views, venues: Mapping[str, VenueEntry], clock_ns: Clock) -> None:
        self._engine = engine
        self._views = views
        self._venues = venues
        self._clock_ns = clock_ns
        self._readers: dict[Reader, None] = {}
        self._open: dict[Topic, _Open] = {}
        self._trades: dict[str, deque[Trade]] = {}
        self._changed_orders: dict[str, None] = {}
        self._has_news = asyncio.Event()
        self._round = asyncio.Lock()
        self._publishing: asyncio.Task[None] | None = None
        self.tally = Tally()

    @property
    def readers(self) -> int:
        return len(self._readers)

    @property
    def readers_behind(self) -> int:
        """Those of them that read too slowly at the moment."""
        return sum(reader.is_behind for reader in self._readers)

    def subscriptions(self) -> dict[Name, int]:
        """How many read each kind of channel."""
        counts = dict.fromkeys(Name, 0)
        for topic, opened in self._open.items():
            counts[topic.channel] += len(opened.readers)
        return counts

    def note(self, watched: Watched) -> None:
        """For the dispatcher's watchers. Trades do not hurry: they go out with the next round."""
        match watched:
            case Trade():
                self._note_trade(watched)
            case LocalHappened(event=Traded() as traded):
                self._note_trade(_as_trade(traded))
            case ParentChanged() if self._readers:
                self._changed_orders[watched.order_id] = None
                self._has_news.set()
            case HealthChanged():
                source = self._source(Topic(Name.VENUES))
                if isinstance(source, VenuesSource):
                    source.note_health(watched.venue, watched.instrument)
                    self._has_news.set()
            case _:
                self._has_news.set()

    def join(self, reader: Reader) -> None:
        """Raises Problem when there are too many."""
        if len(self._readers) >= READERS_AT_MOST:
            detail = f"{READERS_AT_MOST} read already, and there is room for no more; try again later"
            raise Problem(429, Code.TOO_MANY_REQUESTS, "too many readers", detail)
        self._readers[reader] = None
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish_always())
            self._publishing.add_done_callback(self._publishing_ended)

    def part(self, reader: Reader, why: str) -> None:
        """The reader is gone; a word for it is counted unless it left by itself."""
        for channel in list(reader.channels):
            self.unsubscribe(reader, channel.topic)
        self._readers.pop(reader, None)
        if why:
            self.tally.dropped[why] += 1
        if not self._readers and self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None
            self._changed_orders.clear()

    def subscribe(self, reader: Reader, topic: Topic) -> None:
        """Raises Problem when there are too many subscriptions."""
        opened = self._open.get(topic)
        is_new = opened is None or reader not in opened.readers
        if is_new and len(reader.channels) >= SUBSCRIPTIONS_AT_MOST:
            raise _too_many(f"{SUBSCRIPTIONS_AT_MOST} subscriptions of one connection; unsubscribe from some")
        if opened is None:
            if len(self._open) >= CHANNELS_AT_MOST:
                raise _too_many(f"{CHANNELS_AT_MOST} different subscriptions; ask for what others read, or later")
            opened = self._open[topic] = _Open(self._channel(topic), {})
        opened.readers[reader] = None
        reader.begin(opened.channel)

    def unsubscribe(self, reader: Reader, topic: Topic) -> bool:
        """Whether it was subscribed."""
        opened = self._open.get(topic)
        if opened is None or reader not in opened.readers:
            return False
        del opened.readers[reader]
        if not opened.readers:
            del self._open[topic]
        reader.leave(opened.channel)
        return True

    async def publish(self) -> None:
        """One round: every channel that has news is moved on, and its readers are offered the same bytes."""
        async with self._round:
            self._pass_on_orders()
            for count, (channel, readers) in enumerate(list(self._open.values()), 1):
                message = channel.advance()
                if message is not None:
                    await _offer(channel, message, readers)
                if count % TOGETHER == 0:
                    await asyncio.sleep(0)
        now_ns = self._clock_ns()
        for reader in self._readers:
            reader.drop_if_stuck(now_ns)

    def drop_all(self, why: Drop) -> None:
        for reader in self._readers:
            reader.drop(why)

    async def _publish_always(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            await self.publish()
            await asyncio.sleep(QUIET_S)

    def _publishing_ended(self, task: asyncio.Task[None]) -> None:
        """A defect here is not to end the service: the readers are let go, and the next one begins anew."""
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            log.critical("the stream failed, and its readers are let go", exc_info=failure)
            self._publishing = None
            self.drop_all(Drop.FAULTY)

    def _channel(self, topic: Topic) -> Channel:
        source: Source
        if topic.channel is Name.VENUES:
            return Channel(topic, VenuesSource(self._engine, self._venues, self._clock_ns))
        if topic.channel in (Name.ORDERS, Name.FILLS):
            own = Own(self._engine.orders, topic.account, topic.symbol)
            source = OrdersSource(own) if topic.channel is Name.ORDERS else FillsSource(own)
            return Channel(topic, source, is_skippable=topic.channel is Name.ORDERS)
        instrument = instrument_named(topic.symbol, self._engine.market)
        if topic.channel is Name.TRADES:
            source = TradesSource(instrument, self._trades.get(topic.symbol, ()))
        else:
            source = BookSource(self._views, instrument, topic.depth, View(topic.view), self._clock_ns)
        return Channel(topic, source)

    def _source(self, topic: Topic) -> Source | None:
        opened = self._open.get(topic)
        return None if opened is None else opened.channel.source

    def _note_trade(self, trade: Trade) -> None:
        recent = self._trades.get(trade.instrument)
        if recent is None:
            recent = self._trades[trade.instrument] = deque(maxlen=TRADES_KEPT)
        recent.append(trade)
        source = self._source(Topic(Name.TRADES, trade.instrument))
        if isinstance(source, TradesSource):
            source.note(trade)

    def _pass_on_orders(self) -> None:
        """To the channels of whoever's they are."""
        changed, self._changed_orders = self._changed_orders, {}
        for order_id in changed:
            parent = self._engine.orders.parents.get(order_id)
            if parent is None:
                continue
            terms = parent.terms
            places = product((Name.ORDERS, Name.FILLS), ("", terms.instrument.name), (terms.account, EVERYONE))
            for name, symbol, account in places:
                source = self._source(Topic(name, symbol, account=account))
                if isinstance(source, OrdersSource | FillsSource):
                    source.note(order_id)


async def _offer(channel: Channel, message: bytes, readers: Iterable[Reader]) -> None:
    for count, reader in enumerate(list(readers), 1):
        reader.offer(channel, message)
        if count % READERS_TOGETHER == 0:
            await asyncio.sleep(0)


def _too_many(what: str) -> Problem:
    return Problem(429, Code.TOO_MANY_REQUESTS, "too many subscriptions", f"no more than {what}")


def _as_trade(traded: Traded) -> Trade:
    """What all may know of a trade in the local book."""
    return Trade(
        LOCAL_VENUE,
        traded.instrument.name,
        traded.at_ns,
        traded.at_ns,
        traded.trade_id,
        traded.price,
        traded.quantity,
        traded.taker_side,
    )
