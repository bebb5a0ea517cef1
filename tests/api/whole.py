"""A server with every part of the API, over a desk."""

from __future__ import annotations

from collections.abc import Mapping

from aggregator.api.auth import Keys
from aggregator.api.house import HouseRoutes
from aggregator.api.local import LocalRoutes, Tape
from aggregator.api.market import MarketRoutes, VenueEntry
from aggregator.api.meters import Meters
from aggregator.api.orders import OrderRoutes
from aggregator.api.quotes import QuoteRoutes
from aggregator.api.server import Operations, Server
from aggregator.api.sessions import SessionRoutes, Sessions
from aggregator.api.stream import Stream
from aggregator.api.stream_hub import Hub
from aggregator.books.rates import Rates
from aggregator.config.keys import ApiKey
from aggregator.engine.views import Views
from aggregator.service.metrics import MarketCollector, registry
from tests.api.desk import CANCEL_PATIENCE_S, VENUES, Desk

CONNECTION: Mapping[str, object] = {
    "connections": 1,
    "open_connections": 1,
    "connects": 2,
    "last_failure": "",
    "heard_ns": 1_700_000_000_000_000_000,
    "frames": 7,
    "fetches_waiting": 0,
    "weight_used": 50,
    "weight_limit": None,
    "breaker_reason": "",
    "breaker_remaining_ns": 0,
    "clock_offset_ns": -1_500_000,
    "clock_error_ns": None,
    "rules_read_ns": 0,
}


def venue_entries(venues: tuple[str, ...]) -> Mapping[str, VenueEntry]:
    return {
        name: VenueEntry(name, name.title(), name, "active", True, True, "http://127.0.0.1:1", lambda: CONNECTION)
        for name in venues
    }


def whole(desk: Desk, *keys: ApiKey) -> Server:
    """Signatures are judged by the desk's real clock."""
    engine, clock_ns = desk.engine, desk.clock_ns
    views = Views(engine)
    entries = venue_entries(VENUES)
    sessions = Sessions(desk.judged_ns)
    guard = Keys(keys, desk.judged_ns, sessions)
    meters = Meters()
    collector = MarketCollector(engine, {name: entry.connection for name, entry in entries.items()}, int, clock_ns)
    return Server(
        MarketRoutes(engine, views, entries, clock_ns),
        QuoteRoutes(engine, entries, clock_ns),
        OrderRoutes(engine.orders, engine.market, entries, guard, desk.ask, clock_ns, CANCEL_PATIENCE_S),
        HouseRoutes(engine.orders, guard, desk.ask, clock_ns),
        LocalRoutes(engine, views, Tape(), Rates((), lambda venue, name: "no book"), {}, guard, desk.ask, clock_ns),
        Stream(Hub(engine, views, entries, clock_ns), engine.market, guard, clock_ns),
        SessionRoutes(guard, sessions),
        Operations(engine, registry(collector, meters), int),
        meters=meters,
    )
