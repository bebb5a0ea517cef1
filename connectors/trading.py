"""What a venue's order entry says to the aggregator, and what it may ask of the world.

Like market data it is pure: it writes and signs calls, and reads replies and private frames. Whether, when and how
often something is sent is not its business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from aggregator.domain.errors import AggregatorError
from aggregator.domain.instrument import Listing
from aggregator.domain.order import ChildTerms
from aggregator.domain.order_events import VenueOrderEvent
from connectors.contract import Habits, Reply, Send


class Purpose(StrEnum):
    PLACE = "place"
    CANCEL = "cancel"
    ORDER = "order"
    """What became of one order, asked by our id."""
    FILLS = "fills"
    """The fills of one order."""
    BALANCES = "balances"
    OPEN_ORDERS = "open_orders"
    FEES = "fees"
    ACCOUNT = "account"
    """What the venue wants to be asked once before anything else, such as the account's own id."""


class Errand(NamedTuple):
    """What a call is for. `terms` is the child that it is about; `venue_order_id` is empty while unknown, `sent_ns` is
    when the child left us. `symbol` where it is about one market. `cursor` continues a list that came in parts."""

    purpose: Purpose
    terms: ChildTerms | None = None
    venue_order_id: str = ""
    sent_ns: int = 0
    symbol: str = ""
    cursor: str = ""


class Call(NamedTuple):
    """A signed HTTP request. `path` has its query, as it is signed; it is appended to the venue's REST root. `body` is
    sent as it is, byte by byte."""

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Cost(NamedTuple):
    """What a call uses up of one of the venue's budgets."""

    budget: str
    units: int = 1


class Allowance(NamedTuple):
    """A budget: `units` in any `window_ns`."""

    units: int
    window_ns: int


class Credentials(NamedTuple):
    """The account's secrets. Never logged, shown or recorded."""

    key: str
    secret: str
    passphrase: str = ""

    def __repr__(self) -> str:
        return "Credentials(...)"


class CallRefused(AggregatorError):
    """This venue cannot be asked that, or not yet: nothing was sent, and the text says why."""


class Told(NamedTuple):
    """What a reply or a private frame came to. `is_ready` says that the private stream now tells everything that it was
    asked for; `refusal` that it will not, and why. `errands` are to be run next."""

    events: Sequence[VenueOrderEvent] = ()
    sends: Sequence[Send] = ()
    errands: Sequence[Errand] = ()
    is_ready: bool = False
    refusal: str = ""


class OrderEntry(Protocol):
    """How one account trades at one venue. Made as `OrderEntry(venue, listings, credentials, host)`: the venue's
    id, its listings by the venue's symbol (they may become more), and the host (with its port) that is really called,
    which some signatures contain. Its connector package exports it under this name.

    `budgets` are the venue's limits on calls by name, besides what applies to market data. `habits` are those of the
    private stream, None where the venue has none.
    """

    budgets: Mapping[str, Allowance]

    habits: Habits | None

    def errands_at_start(self) -> Sequence[Errand]:
        """What must have been answered before anything else is asked."""
        ...

    def costs(self, errand: Errand) -> Sequence[Cost]: ...

    def call(self, errand: Errand, now_ns: int) -> Call:
        """The signed request, written at the moment at which it is sent. Raises CallRefused."""
        ...

    def read(self, errand: Errand, reply: Reply, now_ns: int) -> Told:
        """What the venue answered; `reply.status` is never 0. Every PLACE, CANCEL and ORDER comes to exactly one
        execution report about it: rejected, not sent, in doubt, missing, received, working or ended. Raises
        FrameRefused (or NumberRefused) for what the protocol does not explain; then nothing is known of the outcome."""
        ...

    def greet(self, now_ns: int) -> Sequence[Send]:
        """What to send first on a new private stream."""
        ...

    def read_frame(self, frame: str | bytes, now_ns: int) -> Told:
        """A frame of the private stream. Orders that are not ours are left out. Raises FrameRefused, NumberRefused."""
        ...


Listings = Mapping[str, Listing]
"""By the venue's symbol."""
