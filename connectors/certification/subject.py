"""What is certified, and how one check of it is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from aggregator.config.venues import VenueSettings
from aggregator.domain.certificate import Check, Outcome
from aggregator.domain.instrument import Instruments
from connectors.account import AccountMachine, account_machine
from connectors.contract import MarketData
from connectors.machine import VenueMachine, venue_machine
from connectors.trading import Credentials, Listings, OrderEntry

Jitter = Callable[[], float]  # not money: a chance

NewOrderEntry = Callable[[str, Listings, Credentials, str], OrderEntry]


class Wrong(Exception):
    """What was seen is not what should have come of it. The text says what was seen."""


class NotExercised(Exception):
    """The check proves nothing about this venue, or cannot be made. The text says why."""


@dataclass(frozen=True)
class Subject:
    """A venue's file and its connector. `simulator` is the module that plays the venue, None where there is none;
    `new_order_entry` is None for a connector that does not trade."""

    venue: VenueSettings
    instruments: Instruments
    new_market_data: Callable[[], MarketData]
    new_order_entry: NewOrderEntry | None = None
    simulator: Any | None = None

    def market_machine(self, venue: VenueSettings, jitter: Jitter) -> VenueMachine:
        """What follows the books; `venue` is the file with the addresses of the simulated venue."""
        return venue_machine(venue, self.new_market_data, self.instruments, jitter)

    def account_machine(self, venue: VenueSettings, credentials: Credentials, jitter: Jitter) -> AccountMachine:
        """What trades. Raises NotExercised for a connector without order entry."""
        if self.new_order_entry is None:
            raise NotExercised("the connector has no order entry")
        listings = {listing.symbol: listing for listing in venue.fixed_listings(self.instruments.listed)}
        return account_machine(venue, self.new_order_entry, listings, credentials, jitter)


class Trial(NamedTuple):
    """One check, as it is made for any venue. `run` returns what was seen, and raises Wrong or NotExercised."""

    name: str
    done: str
    expected: str
    run: Callable[[Subject], str]


def carried_out(trial: Trial, subject: Subject) -> Check:
    outcome = Outcome.FAILED
    try:
        seen = trial.run(subject)
        outcome = Outcome.PASSED
    except NotExercised as why:
        seen, outcome = str(why), Outcome.NOT_EXERCISED
    except Wrong as wrong:
        seen = str(wrong)
    except Exception as error:  # noqa: BLE001 - whatever a connector raises is a finding about it, and ends one check only
        seen = f"the connector raised {type(error).__name__}: {error}"
    return Check(trial.name, trial.done, trial.expected, outcome, seen)
