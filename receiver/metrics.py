"""What `/metrics` shows, in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from receiver.dispatch.dispatcher import Observation
from receiver.store.port import Store

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class _StoreGauges(Collector):
    """Gauges that are read from the store when somebody looks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterable[Metric]:
        with self._store.read() as reader:
            counts = reader.counts()
        for name, label, text in (
            ("actions", "state", "Actions in the store, by state."),
            ("reviews_open", "queue", "Open cases for people, by queue."),
            ("events", "kind", "Events in the store."),
        ):
            family = GaugeMetricFamily(f"hookwarden_{name}", text, labels=[label])
            for key, value in counts.get(name, {}).items():
                family.add_metric([key], value)
            yield family


class Metrics:
    """Counters of one process. Labels are bounded: sources are configured, reasons and outcomes are short codes."""

    def __init__(self, store: Store) -> None:
        self._registry = CollectorRegistry()
        self.deliveries = self._counter("deliveries", "Webhook deliveries, by source and answer.", "source", "answer")
        self.rejected = self._counter("rejected", "Refused deliveries, by source and reason.", "source", "reason")
        self.intake = self._histogram("intake_seconds", "From the last byte in to the commit.")
        self._attempts = self._counter("attempts", "Attempts at actions, by action and ending.", "action", "ending")
        self._repeats = self._counter("repeats", "Attempts after one that died in flight.", "action")
        self._seconds = self._histogram("attempt_seconds", "Duration of attempts.", "action")
        said = "Changes of the policy while it runs, by result: taken into use, or refused."
        self._reloads = self._counter("policy_reloads", said, "result")
        for result in ("taken", "refused"):
            self._reloads.labels(result)
        self._registry.register(_StoreGauges(store))

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"hookwarden_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"hookwarden_{name}", text, labels, registry=self._registry, buckets=_SECONDS)

    def observe(self, attempt: Observation) -> None:
        """Count one attempt that ended."""
        self._attempts.labels(attempt.action, attempt.ending).inc()
        self._seconds.labels(attempt.action).observe(attempt.seconds)
        if attempt.repeated:
            self._repeats.labels(attempt.action).inc()

    def policy_looked_at(self, result: str) -> None:
        """Count one change of the policy: `taken` or `refused`."""
        self._reloads.labels(result).inc()

    def watch_policy(self, taken_at: Callable[[], float], refused: Callable[[], bool]) -> None:
        """Show since when the policy is in force (Unix seconds), and whether what the files hold now is refused."""
        for name, text, value in (
            ("last_taken_timestamp_seconds", "When the policy in force was taken into use.", taken_at),
            ("refused", "1 while the policy's files hold something that is not used.", refused),
        ):
            Gauge(f"hookwarden_policy_{name}", text, registry=self._registry).set_function(value)

    def page(self) -> bytes:
        """The whole page."""
        return generate_latest(self._registry)
