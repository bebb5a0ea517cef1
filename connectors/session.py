"""One connection's conversation with a venue: the part that is the same for every venue.

It subscribes, asks for snapshots and asks again, gives books up when their connection goes, and keeps
whatever cannot be understood from harming any book but the one it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from aggregator.config.venues import VenueSettings
from aggregator.domain.errors import FrameRefused, NumberRefused
from aggregator.domain.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    FrameRejected,
    ListingsRead,
    MarketEvent,
    Refused,
)
from aggregator.domain.instrument import Instruments
from connectors.books import Books, SnapshotTooOld
from connectors.contract import Answer, MarketData, Reply, Request
from connectors.markets import Market, Markets
from connectors.resync import SECOND, Resyncs

ANSWER_PATIENCE_NS = 10 * SECOND
MARKET_LIST = "the market list"

USELESS = (SnapshotTooOld, FrameRefused, NumberRefused)
"""What a venue's protocol raises for bytes that it can make nothing of."""


def recorded_session(market_data: MarketData, venue: VenueSettings, instruments: Instruments) -> Session:
    """A session for recordings of this venue: it follows whatever market the recording holds."""
    listings = venue.fixed_listings(instruments.listed)
    markets = Markets(
        venue.venue,
        listings,
        instruments,
        venue.fee_rates(),
        separator=market_data.separator,
        adopts_unlisted=True,
    )
    return Session(market_data, markets)


class Session:
    """Times are ns since the Unix epoch, by our clock. Nothing that a venue can send makes this raise.

    After any call the requests are to be taken and carried out, and `woken` is to be called once
    `wake_at_ns` has come. `follow` are the symbols to subscribe to; `follow_listed`, when given, adds those
    of the venue's market list that it accepts.
    """

    def __init__(
        self,
        market_data: MarketData,
        markets: Markets,
        follow: Sequence[str] = (),
        follow_listed: Callable[[Market], bool] | None = None,
    ) -> None:
        self.venue = markets.venue
        self.books = Books(markets, market_data.numbering)
        self._market_data = market_data
        self._markets = markets
        self._follow = list(follow)
        self._follow_listed = follow_listed
        self._resyncs = Resyncs(ANSWER_PATIENCE_NS)
        self._list_asked = Resyncs(ANSWER_PATIENCE_NS)
        self._requests: list[Request] = []

    def opened(self, now_ns: int) -> list[MarketEvent]:
        """A connection stands; nothing was sent on it yet."""
        self._requests += self._market_data.greet(now_ns)
        if self._follow_listed is not None:
            self._list_asked.plan(MARKET_LIST, now_ns)
            self.woken(now_ns)
        return self._subscribe(self._follow, now_ns)

    def received(self, frame: str | bytes, now_ns: int) -> Sequence[MarketEvent]:
        try:
            answer = self._market_data.read(frame, self.books, now_ns)
        except USELESS as error:
            return self._excused(error, now_ns)
        return self._settle(answer, now_ns)

    def fetched(self, reply: Reply, now_ns: int) -> list[MarketEvent]:
        try:
            events = [*self._settle(self._market_data.read_reply(reply, self.books, now_ns), now_ns)]
        except USELESS as error:
            events = [*self._excused(error, now_ns, by_reply=True)]
        if self._markets.is_read_anew:
            events += self._listed(now_ns)
        return events

    def _listed(self, now_ns: int) -> list[MarketEvent]:
        """The venue's market list has come: rules may be others, and markets may be new."""
        changed, unkept = self._markets.take_changes()
        events: list[MarketEvent] = [ListingsRead(self.venue, now_ns, changed)] if changed else []
        events += [Refused(self.venue, now_ns, reason, instrument) for instrument, reason in unkept.items()]
        if self._follow_listed is not None:
            self._list_asked.done(MARKET_LIST)
            listings = self._markets.choose(self._follow_listed)
            events.append(ListingsRead(self.venue, now_ns, listings))
            more = [listing.symbol for listing in listings if listing.symbol not in self._follow]
            self._follow += more
            events += self._subscribe(more, now_ns)
        return events

    def answered(self, url: str, body: bytes, now_ns: int) -> list[MarketEvent]:
        """A reply that a recording holds; only good ones are recorded."""
        return self.fetched(Reply(url, HTTPStatus.OK, body), now_ns)

    def closed(self, reason: str, now_ns: int) -> list[MarketEvent]:
        """The connection is gone, and every book that it carried is lost."""
        self._resyncs.clear()
        self._list_asked.clear()
        return [event for book in self.books for event in book.cut(reason, now_ns)]

    def resync(self, symbol: str, reason: str, now_ns: int) -> Sequence[MarketEvent]:
        """Give this one book up and ask for it anew, leaving all others alone."""
        book = self.books.get(symbol)
        return self._settle(Answer(book.lost(reason, now_ns)), now_ns) if book is not None else []

    def woken(self, now_ns: int) -> None:
        market_list = self._market_data.market_list() if self._list_asked.take_due(now_ns) else None
        if market_list is not None:
            self._requests.append(market_list)
        for symbol in self._resyncs.take_due(now_ns):
            self._requests += self._market_data.ask_snapshot(symbol, now_ns)

    def wake_at_ns(self) -> int | None:
        return min(
            (at_ns for at_ns in (self._resyncs.next_ns(), self._list_asked.next_ns()) if at_ns is not None),
            default=None,
        )

    def take_requests(self) -> list[Request]:
        requests, self._requests = self._requests, []
        return requests

    def _subscribe(self, symbols: Sequence[str], now_ns: int) -> list[MarketEvent]:
        if symbols:
            self._requests += self._market_data.subscribe(symbols, now_ns)
        for symbol in symbols:
            if not self.books[symbol].is_whole:
                self._resyncs.plan(symbol, now_ns + self._market_data.snapshot_after_ns)
        return self.books.announce(now_ns)

    def _excused(self, error: Exception, now_ns: int, *, by_reply: bool = False) -> Sequence[MarketEvent]:
        """What becomes of a frame or a reply that is of no use."""
        if isinstance(error, SnapshotTooOld):
            self._resyncs.failed(error.symbol, now_ns)
            return self.books.announce(now_ns)
        symbol = error.symbol if isinstance(error, FrameRefused) else None
        return self._rejected(error, symbol, now_ns, by_reply=by_reply)

    def _settle(self, answer: Answer, now_ns: int) -> Sequence[MarketEvent]:
        """Keep account of which books need a snapshot, and hand the events on."""
        events = answer.events
        if len(events) == 1 and type(events[0]) is BookDelta and not answer.requests and not self.books.is_news:
            return events  # by far the most frequent answer
        if answer.requests:
            self._requests += answer.requests
        for event in events:
            if isinstance(event, BookLost):
                self._resyncs.plan(self._markets.symbol_of(event.instrument), now_ns)
                self.woken(now_ns)
            elif isinstance(event, BookSnapshot):
                self._resyncs.done(self._markets.symbol_of(event.instrument))
            elif isinstance(event, Refused) and event.instrument is not None:
                symbol = self._markets.symbol_of(event.instrument)
                if symbol in self._resyncs:
                    self._resyncs.failed(symbol, now_ns)
        return [*self.books.announce(now_ns), *events]

    def _rejected(
        self, error: Exception, symbol: str | None, now_ns: int, *, by_reply: bool = False
    ) -> list[MarketEvent]:
        """A frame that means nothing hides a change of its book; a reply only leaves a question open."""
        events = self.books.announce(now_ns)
        book = self.books.get(symbol) if symbol is not None else None
        if book is None or symbol is None:
            return [*events, FrameRejected(self.venue, now_ns, str(error))]
        lost = [] if by_reply else book.lost(f"a frame was rejected: {error}", now_ns)
        events.append(FrameRejected(self.venue, now_ns, str(error), book.listing.instrument.name))
        if symbol in self._resyncs:
            self._resyncs.failed(symbol, now_ns)
        return [*events, *self._settle(Answer(lost), now_ns)]
