"""A client of the API for Python programs: requests that are signed and safe to repeat, and a stream that comes back by
itself."""

from aggregator.client.answers import Balance, Book, Fill, Halt, Level, Order, Quote, Trade
from aggregator.client.calls import Client
from aggregator.client.errors import ClientError, NotReached, Refused, Unanswered
from aggregator.client.following import Subscription, Update
from aggregator.client.stream import Stream

__all__ = [
    "Balance",
    "Book",
    "Client",
    "ClientError",
    "Fill",
    "Halt",
    "Level",
    "NotReached",
    "Order",
    "Quote",
    "Refused",
    "Stream",
    "Subscription",
    "Trade",
    "Unanswered",
    "Update",
]
