"""The error tree. Each class says what it permits the one who catches it.

AggregatorError
├── NumberRefused           negative, not finite, too long or finer than its scale; skip what carries it
├── FrameRefused            bytes from a venue that mean nothing we know; count them, report them, go on
├── ConfigurationRefused    files that must not be used; every fault is listed, nothing of them was applied
├── CaptureRefused          a recording that cannot be read at all; a bad line inside one is only reported
├── VenueDefunct            a venue that may be replayed but never connected to
├── DocumentRefused         a stored document that is not what its kind says; what is built on it must not be used
├── JournalRefused          a journal that must not be opened; nothing of it was changed
├── JournalFailed           what was asked is not on disk, and nothing later will be: no order may leave any more
└── BrokenInvariant         a structure contradicts itself: a defect of ours, never a venue's; do not go on
"""

from __future__ import annotations

from collections.abc import Sequence


class AggregatorError(Exception):
    """Anything this project raises on purpose."""


class NumberRefused(AggregatorError, ValueError):
    """Text that is no exact, non-negative number on the scale asked for."""


class FrameRefused(AggregatorError):
    """A frame or reply that its venue's protocol does not explain.

    `symbol` is the venue's symbol when the frame says whose it is: that book has then missed a change
    and is not live any more. Without a symbol nothing is known to be lost, and the venue's numbering
    tells soon enough.
    """

    def __init__(self, reason: str, symbol: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.symbol = symbol


class ConfigurationRefused(AggregatorError):
    """Configuration that is not used. `faults` are lines of `file:line:column: key: wrong, right`."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class CaptureRefused(AggregatorError):
    """A file that is not a recording of a format we read."""


class VenueDefunct(AggregatorError):
    """The venue has ceased to exist; only its recordings can be played."""


class DocumentRefused(AggregatorError, ValueError):
    """A document that does not say what its kind of record needs, or says more."""


class JournalRefused(AggregatorError):
    """A file that is no journal of a format we read, cannot be read or written, or is in use by another service."""


class JournalFailed(AggregatorError):
    """The journal could not be written. Whatever waited for it has not happened as far as anyone outside may know;
    what was told before is on disk, and a new start goes on from there."""


class BrokenInvariant(AggregatorError, AssertionError):
    """What a `check()` found: the structure and its own rules disagree."""
