"""What a service records besides its journal, where its process file has `records`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from prometheus_client.registry import Collector

from aggregator.assembly.loading import Tap
from aggregator.config.settings import Records
from aggregator.engine.market import Market
from aggregator.service.recorder import Recorder, Rotation
from aggregator.service.sampling import Premiums, Sampler

TRAFFIC = "traffic"


class Recording:
    """`tap` sees raw traffic, None where that is not recorded. `sampler` decides what is written of the market."""

    def __init__(
        self, settings: Records, folder: Path, market: Market, premiums: Premiums, clock_ns: Callable[[], int]
    ) -> None:
        # With pandas and DuckDB, which a service that records nothing does not need.
        from aggregator.service.archive import Archive
        from aggregator.service.record_metrics import RecordCollector

        self._archive = Archive(folder, settings.tables_kept_ns, clock_ns)
        self.tap: Recorder | None = None
        if settings.traffic:
            rotation = Rotation(folder / TRAFFIC, settings.traffic_every_ns, settings.traffic_kept_ns)
            self.tap = Recorder(rotation, "aggregator run")
        self.sampler = Sampler(
            market, self._archive.put, premiums, clock_ns, settings.depth_every_ns, settings.depth_levels
        )
        self.collector: Collector = RecordCollector(self._archive, self.tap)

    @contextmanager
    def running(self) -> Iterator[None]:
        """On leaving, what waits is written."""
        with ExitStack() as stack:
            stack.enter_context(self._archive)
            if self.tap is not None:
                stack.enter_context(self.tap)
            yield


def both(first: Tap | None, second: Tap | None) -> Tap | None:
    """A tap for two who want to see it."""
    if first is None or second is None:
        return first or second

    def tap(at_ns: int, venue: str, kind: str, url: str, payload: str | bytes | None) -> None:
        first(at_ns, venue, kind, url, payload)
        second(at_ns, venue, kind, url, payload)

    return tap
