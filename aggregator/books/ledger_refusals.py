"""Why the ledger refuses. After any of these it is as it was before; `code` is stable."""

from __future__ import annotations

from typing import ClassVar

from aggregator.domain.errors import AggregatorError


class LedgerRefused(AggregatorError):
    """Something was asked of the ledger that would make it wrong."""

    code: ClassVar[str] = "ledger_refused"


class AccountUnknown(LedgerRefused):
    """Nobody has opened it."""

    code = "unknown_account"


class AccountTaken(LedgerRefused):
    """It is open already."""

    code = "account_taken"


class AccountReserved(LedgerRefused):
    """Custody moves by credits and debits of others only."""

    code = "reserved_account"


class MoneyRefused(LedgerRefused):
    """Not a positive figure; 0 is none either, save for what custody holds."""

    code = "bad_money"


class NotCovered(LedgerRefused):
    """An account would have less than is held of it, or less than nothing."""

    code = "insufficient_funds"


class CustodyExceeded(LedgerRefused):
    """Accounts would own more than custody holds, or more would leave it than is there."""

    code = "custody_exceeded"


class HoldTaken(LedgerRefused):
    """Something is held under this key already."""

    code = "hold_taken"


class HoldUnknown(LedgerRefused):
    """Nothing is held under this key."""

    code = "unknown_hold"


class HoldTooSmall(LedgerRefused):
    """More was filled, or is to be left, than the hold is for."""

    code = "hold_too_small"


class NotItsTrade(LedgerRefused):
    """The hold is another account's, for another instrument, or for the other side."""

    code = "wrong_hold"
