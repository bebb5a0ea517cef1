"""What the engine wants done, or wants known, in answer to an event."""

from __future__ import annotations

from dataclasses import dataclass

from aggregator.domain.book import Health
from aggregator.domain.local import LocalEvent
from aggregator.domain.order import ChildTerms


@dataclass(frozen=True, slots=True)
class HealthChanged:
    """A book may be believed more, or less, than before. `reason` is None when it is live."""

    venue: str
    instrument: str
    before: Health
    after: Health
    reason: str | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """A venue's rules for an instrument are others than before; `version` counts them from 1. What is planned from now
    on follows them. A market that is not `tradable` was halted or delisted."""

    venue: str
    instrument: str
    version: int
    what: str
    tradable: bool
    at_ns: int


@dataclass(frozen=True, slots=True)
class ResyncWanted:
    """This one book contradicts itself and is to be asked for anew."""

    venue: str
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True)
class VenueRefused:
    """The venue said no to something that was asked of it; `instrument` is None when it named none."""

    venue: str
    instrument: str | None
    reason: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class PlaceChild:
    """Send this order to its venue, once."""

    terms: ChildTerms


@dataclass(frozen=True, slots=True)
class CancelChild:
    """`venue_order_id` is empty while it is not known."""

    terms: ChildTerms
    venue_order_id: str


@dataclass(frozen=True, slots=True)
class AskChild:
    """Ask the venue what became of this order, by our id. `sent_ns` is when it left."""

    terms: ChildTerms
    venue_order_id: str
    sent_ns: int


@dataclass(frozen=True, slots=True)
class AskFills:
    """Ask the venue for the fills of this order. `sent_ns` is when it left."""

    terms: ChildTerms
    venue_order_id: str
    sent_ns: int


@dataclass(frozen=True, slots=True)
class AskAccount:
    """Ask the venue for the account's balances, and for its open orders."""

    venue: str


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """The answer to a client's request. `code` is empty when it was taken on, and names the refusal otherwise;
    `order_ids` are the parent orders that it is about."""

    order_ids: tuple[str, ...] = ()
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ParentChanged:
    """For watchers: this parent order is not as it was."""

    order_id: str


@dataclass(frozen=True, slots=True)
class LocalHappened:
    """For watchers and records: this happened in one of Busan's own books."""

    event: LocalEvent


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something contradicts what is known, or a person should look at it. `code` is stable."""

    code: str
    text: str
    venue: str = ""
    order_id: str = ""


OrderRequest = PlaceChild | CancelChild | AskChild | AskFills | AskAccount
"""What a venue is asked. It leaves only after the event that caused it is on disk."""


@dataclass(frozen=True, slots=True)
class VenueTurned:
    """A venue is used further, or less far, than before."""

    venue: str


OrderEffect = OrderRequest | VenueTurned | RequestAnswered | ParentChanged | LocalHappened | Alarm
Effect = HealthChanged | RulesChanged | ResyncWanted | VenueRefused | OrderEffect
"""What may come out of `Engine.apply`."""
