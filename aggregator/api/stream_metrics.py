"""The metrics of the stream."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aggregator.api.stream_hub import Hub


class StreamCollector(Collector):
    """Who reads at the moment of the scrape, and what readers were sent until then."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("aggregator_stream_readers", "Connections that read the stream.", self._hub.readers)
        yield GaugeMetricFamily(
            "aggregator_stream_readers_behind", "Those of them that read too slowly.", self._hub.readers_behind
        )
        subscriptions = GaugeMetricFamily(
            "aggregator_stream_subscriptions", "Subscriptions of all readers.", labels=("channel",)
        )
        for channel, count in self._hub.subscriptions().items():
            subscriptions.add_metric((channel.value,), count)
        yield subscriptions
        tally = self._hub.tally
        counters = (
            (
                "messages",
                "Messages sent to readers; `answer` is what they asked themselves.",
                "channel",
                tally.messages,
            ),
            ("bytes", "Bytes of these messages.", "channel", tally.bytes),
            ("skipped", "Changes that slow readers got a snapshot in place of.", "channel", tally.skipped),
            ("dropped_readers", "Readers that were let go.", "reason", tally.dropped),
        )
        for name, text, label, counts in counters:
            counter = CounterMetricFamily(f"aggregator_stream_{name}", text, labels=(label,))
            for value, count in counts.items():
                counter.add_metric((value,), count)
            yield counter
