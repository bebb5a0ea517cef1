"""FTX's frames to books: every message is proven by its checksum, or its book is not believed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.books.venue_book import VenueBook
from aggregator.domain.book import Health
from aggregator.domain.events import FrameRejected, ListingsRead, MarketEvent, Refused, Subscribed, Trade
from aggregator.domain.instrument import Instruments, Listing, Side
from aggregator.engine.digest import book_sha256
from aggregator.engine.market import Market
from aggregator.service.captures import BadLine, Kind, read_capture
from connectors.contract import Reconnect, Reply, Send
from connectors.ftx.market_data import FtxMarketData
from connectors.markets import Markets
from connectors.session import Session
from tests.paths import needs_shared, shared
