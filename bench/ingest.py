"""How many calls a second the webhook acknowledges, beside the limit and the ordinary way.

`.venv/bin/python -m bench.ingest [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`

Acknowledged means committed to disk. Calls come over 32 connections of loopback; each body is sent once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from bench import bodies, common, inboxes, load
from bench.baselines import flask_orm
from tests.conftest import environment_of, free_port
from webapp.config import Settings
from webapp.services import tokens

BATCH = 100
WARM_UP = 1.0
_numbers = count(0, 10_000_000)
Found = dict[str, float]


def main() -> None:
    parser = common.arguments(
        __doc__, 40_000, "bodies a run; who needs more sends the first again, which are then duplicates"
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run; 4")
    parser.add_argument("--times", type=int, default=3, help="rounds, each of all that is compared; 3")
    asked = parser.parse_args()
    with common.installation(asked.database) as settings:
        results: dict[str, Any] = {
            "bench": "ingest",
            "database": common.name_of(settings.database_url),
            "machine": common.machine(),
            "connections": load.CONNECTIONS,
            "single": _compared(settings, asked, 1),
            "batch": _compared(settings, asked, BATCH),
        }
    results["lines"] = _lines(results)
    _show(results)
    common.report(asked.json, results)


def _compared(settings: Settings, asked: Any, each: int) -> dict[str, Any]:
    """Tributary, the limit and the ordinary way in turns; medians of the rounds."""
    ways = {"tributary": tributary, "limit": limit, "ordinary": ordinary}
    rounds: list[dict[str, Found]] = []
    for _ in range(asked.times):
        found = {}
        for way, run in ways.items():
            with run(settings) as url:
                found[way] = _run(url, asked, each)
        rounds.append(found)
        print(
            f"  {each} a call: " + ", ".join(f"{w} {f['rate'] * each:,.0f}/s" for w, f in found.items()),
            flush=True,
        )
    ours = [r["tributary"] for r in rounds]
    return {
        "events_a_call": each,
        "events_per_second": {
            w: round(common.median_of([r[w] for r in rounds], "rate") * each) for w in ways
        },
        "of_limit": common.median_of(
            [{"x": r["tributary"]["rate"] / r["limit"]["rate"]} for r in rounds], "x"
        ),
        "of_ordinary": common.median_of(
            [{"x": r["tributary"]["rate"] / r["ordinary"]["rate"]} for r in rounds], "x"
        ),
        "p50_ms": common.median_of(ours, "p50_ms"),
        "p99_ms": common.median_of(ours, "p99_ms"),
        "rounds": rounds,
    }


def _run(url: str, asked: Any, each: int) -> Found:
    calls = asked.rows if each == 1 else max(200, asked.rows // 10)
    load.post(url, _calls(2000 if each == 1 else 100, each), WARM_UP)
    found = load.post(url, _calls(calls, each), asked.seconds)
    if found["bad"]:
        raise RuntimeError(f"{found['bad']:.0f} calls were turned away")
    return found


def _calls(many: int, each: int) -> Iterator[bytes]:
    events = bodies.posted(many * each, first=next(_numbers))
    if each == 1:
        return events
    return (b'{"batch":[' + b",".join(next(events) for _ in range(each)) + b"]}" for _ in range(many))


@contextmanager
def tributary(settings: Settings) -> Iterator[str]:
    """Tributary's web server on an empty database, without a queue; the address of a webhook."""
    engine = common.emptied(settings)
    source_id = inboxes.make_source(engine)
    token = inboxes.make_token(engine, source_id)
    engine.dispose()
    port = free_port()
    environment = environment_of(settings) | {"PORT": str(port), "HOST": "127.0.0.1"}
    with load.serving(["jobs.web"], environment, port):
        yield f"http://127.0.0.1:{port}{tokens.PATH}{token}"


@contextmanager
def limit(settings: Settings) -> Iterator[str]:
    """The bare group commit on the same server."""
    common.emptied(settings).dispose()
    port = free_port()
    with load.serving(["bench.baselines.group_commit", str(port)], environment_of(settings), port):
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def ordinary(settings: Settings) -> Iterator[str]:
    """The Flask view behind gunicorn, with as many workers and threads as its documentation advises."""
    engine = common.emptied(settings)
    flask_orm.make_table(engine)
    engine.dispose()
    port = free_port()
    command = ["gunicorn", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4"]
    command += ["--log-level", "error", "bench.baselines.flask_orm:create_app()"]
    with load.serving(command, environment_of(settings), port):
        yield f"http://127.0.0.1:{port}/webhook"


def _lines(results: dict[str, Any]) -> list[dict[str, str]]:
    single, batch = results["single"], results["batch"]
    rate = single["events_per_second"]
    each = batch["events_per_second"]
    return [
        common.line("Ingest, events/s: Tributary", f"{rate['tributary']:,}"),
        common.line("Ingest, events/s: limit / ordinary way", f"{rate['limit']:,} / {rate['ordinary']:,}"),
        common.line("Ingest, of the limit", f"{single['of_limit']:.2f}", "≥ 0.7"),
        common.line("Ingest, times the ordinary way", f"{single['of_ordinary']:.1f}", "≥ 8"),
        common.line(
            "Ingest, p50 / p99 at 32 connections",
            f"{single['p50_ms']:.0f} / {single['p99_ms']:.0f} ms",
            "p99 < 50 ms",
        ),
        common.line("Batches of 100, events/s: Tributary", f"{each['tributary']:,}"),
        common.line("Batches of 100, of the limit", f"{batch['of_limit']:.2f}", "≥ 0.6"),
    ]


def _show(results: dict[str, Any]) -> None:
    print(f"\n{results['database']}, {results['connections']} connections, events/s")
    for name in ("single", "batch"):
        found = results[name]
        rates = ", ".join(f"{way} {rate:,}" for way, rate in found["events_per_second"].items())
        print(f"  {found['events_a_call']:>3} a call: {rates}")
        print(f"      of the limit {found['of_limit']:.2f}, of the ordinary way {found['of_ordinary']:.1f},")
        print(f"      p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms")


if __name__ == "__main__":
    main()
