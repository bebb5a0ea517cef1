"""A server with every part of the API, over a desk."""

from __future__ import annotations

from aggregator.api.auth import Keys
from aggregator.api.house import HouseRoutes
from aggregator.api.local import LocalRoutes, Tape
from aggregator.api.market import MarketRoutes
from aggregator.api.meters import Meters
from aggregator.api.orders import OrderRoutes
from aggregator.api.quotes import QuoteRoutes, Quotes
from aggregator.api.server import Operations, Server
from aggregator.api.sessions import SessionRoutes, Sessions
from aggregator.api.stream import Stream
from aggregator.api.stream_hub import Hub
from aggregator.api.venues import VenueRoutes
from aggregator.books.rates import Rates
from aggregator.config.keys import ApiKey
from aggregator.engine.views import Views
from aggregator.service.metrics import MarketCollector, registry
from tests.api.desk import CANCEL_PATIENCE_S, VENUES, Desk, Fleet, venue_entries


def whole(desk: Desk, *keys: ApiKey) -> Server:
    """Signatures are judged by the desk's real clock."""
    engine, clock_ns = desk.engine, desk.clock_ns
    views = Views(engine)
    entries = venue_entries(VENUES)
    sessions = Sessions(desk.judged_ns)
    guard = Keys(keys, desk.judged_ns, sessions, anonymous=desk.anonymous)
    meters = Meters()
    collector = MarketCollector(engine, {name: entry.connection for name, entry in entries.items()}, int, clock_ns)
    market, fleet = MarketRoutes(engine, views, entries, clock_ns, guard), Fleet(desk)
    return Server(
        market,
        VenueRoutes(market, fleet, fleet.add, guard, desk.ask, clock_ns),
        QuoteRoutes(Quotes(engine, entries, clock_ns), guard),
        OrderRoutes(engine.orders, engine.market, entries, guard, desk.ask, clock_ns, CANCEL_PATIENCE_S),
        HouseRoutes(engine.orders, guard, desk.ask, clock_ns),
        LocalRoutes(engine, views, Tape(), Rates((), lambda venue, name: "no book"), {}, guard, desk.ask, clock_ns),
        Stream(Hub(engine, views, entries, clock_ns), engine.market, guard, clock_ns),
        SessionRoutes(guard, sessions),
        Operations(engine, registry(collector, meters), int),
        meters=meters,
    )
