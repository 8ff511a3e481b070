"""What Tributary counts of itself, in the format of Prometheus.

What the database knows is asked of it, so it holds for all processes. Answers are counted by each web process
for itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, Engine, func, literal_column, select

from webapp.models import Event, Source, Sync, Tally, now
from webapp.models.event import PARKED, PENDING
from webapp.models.sync import OPEN
from webapp.services import visibility

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REGISTRY = CollectorRegistry()
ANSWERS = Counter(
    "tributary_webhook_answers", "Answers of the webhook in this process.", ["status"], registry=REGISTRY
)
_answers = lru_cache(ANSWERS.labels)


def answered(status: int) -> None:
    """Count an answer of the webhook."""
    _answers(status).inc()


@dataclass(frozen=True, slots=True)
class Workers:
    """What the queue's server knows of the workers; empty while it is away.

    Attributes:
        drained: events drained, by outcome, since that server started.
        jobs: jobs run, by `<task>_<outcome>`, since then.
        waiting: jobs that wait, by queue.
        reached: whether that server answers.
    """

    drained: dict[str, int] = field(default_factory=dict)
    jobs: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)
    reached: bool = False


def exposition(engine: Engine, workers: Workers) -> bytes:
    """All metrics, as Prometheus reads them.

    Args:
        engine: asked for what waits and what was received.
        workers: what the queue's server told.
    """
    registry = CollectorRegistry()
    registry.register(_Collected([*_of_database(engine), *_of_workers(workers)]))
    return generate_latest(REGISTRY) + generate_latest(registry)


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _of_database(engine: Engine) -> Iterator[Metric]:
    with engine.connect() as connection:
        seen = visibility.seen(connection, Tally)
        received, duplicates = connection.execute(
            select(
                func.coalesce(func.sum(Tally.received), 0), func.coalesce(func.sum(Tally.duplicates), 0)
            ).where(seen)
        ).one()
        yield _counter(
            "events_received", "Events that came, duplicates among them, of sources that exist.", received
        )
        yield _counter(
            "events_duplicate",
            "Events that were the same as one before, as far as they are drained.",
            duplicates,
        )
        yield _gauge("events_pending", "Events that wait to be drained.", _count(connection, PENDING))
        yield _gauge("events_pending_age_seconds", "Age of the oldest that waits.", _age(connection))
        yield _gauge("events_parked", "Events that could not be applied.", _count(connection, PARKED))
        failing = select(func.count()).where(Source.failing_since.is_not(None), Source.state == "active")
        yield _gauge("sources_failing", "Sources whose draining fails.", connection.scalar(failing) or 0)
        syncs = GaugeMetricFamily("tributary_syncs_open", "Long work under way.", labels=["state"])
        open_syncs = select(Sync.state, func.count()).where(Sync.state.in_(OPEN)).group_by(Sync.state)
        found = dict(connection.execute(open_syncs).all())
        for state in OPEN:
            syncs.add_metric([state], found.get(state, 0))
        yield syncs


def _of_workers(workers: Workers) -> Iterator[Metric]:
    yield _gauge("queue_up", "Whether the queue's server answers.", int(workers.reached))
    drained = CounterMetricFamily(
        "tributary_events_drained", "Events drained; its rate is the drain rate.", labels=["outcome"]
    )
    for outcome in ("applied", "ignored", "parked", "duplicates"):
        drained.add_metric([outcome], workers.drained.get(outcome, 0))
    yield drained
    jobs = CounterMetricFamily("tributary_jobs", "Jobs run.", labels=["task", "outcome"])
    for name, count in sorted(workers.jobs.items()):
        task, _, outcome = name.rpartition("_")
        jobs.add_metric([task, outcome], count)
    yield jobs
    waiting = GaugeMetricFamily("tributary_jobs_waiting", "Jobs that wait.", labels=["queue"])
    for name, count in sorted(workers.waiting.items()):
        waiting.add_metric([name], count)
    yield waiting


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"tributary_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"tributary_{name}", text, value=float(value))


def _count(connection: Connection, state: int) -> int:
    # A literal lets both databases see that the small index of what waits, or is parked, will do.
    wanted = select(func.count()).select_from(Event).where(Event.state == literal_column(str(state)))
    return connection.scalar(wanted.where(visibility.seen(connection, Event))) or 0


def _age(connection: Connection) -> float:
    """Seconds since the oldest pending event was received, 0.0 when none waits."""
    firsts = select(func.min(Event.id)).where(
        Event.state == literal_column(str(PENDING)), Event.source_id == Source.id
    )
    of_each = select(firsts.scalar_subquery()).select_from(Source).where(Source.state == visibility.ACTIVE)
    received_at = connection.scalar(select(func.min(Event.received_at)).where(Event.id.in_(of_each)))
    return 0.0 if received_at is None else max(0.0, (now() - received_at) / 1_000_000)
