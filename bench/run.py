"""The benchmark's driver: `python -m bench.run`, with `--quick` for a smoke run. It judges nothing.

moneyback and the hand-written actor take turns in every cell, and the medians of the rounds are told: trust
ratios and CPU seconds, not absolute rates.
"""

import argparse
import json
import platform
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.drain import drain
from bench.intake import take_in_rates
from bench.report import Result, drains, table
from bench.seed import add_finished
from bench.servers import DatabaseHandle, DatabaseKind, GatewayKind, GatewayProcess, Servers, servers
from bench.upkeep import LOST, sweep_times
from bench.worker_process import Subject
from config.logging import configure

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    gateways: tuple[GatewayKind, ...]
    latencies_ms: tuple[int, ...]
    counts: dict[int, int]
    """Refunds of one moneyback drain by latency; the actor gets half as many."""
    histories: tuple[int, ...]
    singles: int
    batches: int


FULL = Plan(
    rounds=2,
    gateways=("sandbox", "stub"),
    latencies_ms=(0, 50, 300),
    counts={0: 8_000, 50: 5_000, 300: 1_600},
    histories=(10_000, 100_000, 1_000_000),
    singles=1_000,
    batches=5,
)
QUICK = Plan(
    rounds=1,
    gateways=("stub",),
    latencies_ms=(0, 50),
    counts={0: 2_000, 50: 1_500},
    histories=(10_000,),
    singles=200,
    batches=1,
)


@dataclass(frozen=True, slots=True)
class Runner:
    """One subject of a cell: who, on which database, with how many calls in flight (None: the default)."""

    subject: Subject
    database: DatabaseKind = "postgresql"
    in_flight: int | None = None

    @property
    def name(self) -> str:
        """As the tables have it."""
        limit = f", {self.in_flight} in flight" if self.in_flight else ""
        database = ", SQLite" if self.database == "sqlite" else ""
        return f"{self.subject}{database}{limit}"


def main() -> None:
    """Measure, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(prog="bench.run", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run of about a minute")
    plan = QUICK if parser.parse_args().quick else FULL
    configure(log_format="text", level="error")
    began = time.monotonic()
    document: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "quick": plan is QUICK,
    }
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{document['at'][:19].replace(':', '')}.json"
    with servers() as running:
        for name, measure in (
            ("drains", measure_drains),
            ("intake", measure_intake),
            ("growth", measure_growth),
        ):
            document[name] = measure(running, plan)
            document["seconds"] = round(time.monotonic() - began)
            file.write_text(json.dumps(document, indent=1) + "\n")
    print(f"{document['seconds']} s in all; figures in {file.name}")


def measure_drains(running: Servers, plan: Plan) -> list[Result]:
    """Every gateway at every latency, the subjects taking turns on the same gateway process."""
    results: list[Result] = []
    for kind in plan.gateways:
        for latency_ms in plan.latencies_ms:
            runners = [Runner("moneyback"), Runner("actor"), Runner("moneyback", "sqlite")]
            if latency_ms == 50:
                runners.insert(1, Runner("moneyback", in_flight=32))
            with running.gateway(kind, latency_ms=latency_ms) as gateway:
                for runner, measured in _rounds(running, plan, runners, gateway, latency_ms):
                    against = f"{kind}, {latency_ms} ms"
                    results.append(measured | {"cell": f"{against}: {runner.name}", "against": against})
    print(drains(results))
    return results


def measure_intake(running: Servers, plan: Plan) -> list[Result]:
    """Refunds taken in per second on both databases."""
    results: list[Result] = []
    kinds: tuple[DatabaseKind, ...] = ("postgresql", "sqlite")
    for kind in kinds:
        single, batch = take_in_rates(
            running.database(kind, "intake"), singles=plan.singles, batches=plan.batches
        )
        results.append({"database": kind, "single": single, "batch": batch})
    rows = [[result["database"], round(result["single"]), round(result["batch"])] for result in results]
    print(table("Taken in per second", ["database", "one a call", "1,000 a call"], rows))
    return results


def measure_growth(running: Servers, plan: Plan) -> list[Result]:
    """The same drain and the same sweep with more and more finished refunds in the tables."""
    results: list[Result] = []
    kinds: tuple[DatabaseKind, ...] = ("postgresql", "sqlite")
    with running.gateway("stub", latency_ms=0) as gateway:
        for kind in kinds:
            database, finished = running.database(kind, "growth"), 0
            for history in (0, *plan.histories):
                _grow(database, history - finished, tag=f"a{history}_")
                finished = history
                measured = [
                    drain("moneyback", running, database=database, gateway=gateway, count=plan.counts[0])
                    for _ in range(plan.rounds)
                ]
                idle, loaded = sweep_times(database, tag=f"c{history}_")
                result = _median([item.document() for item in measured])
                results.append(
                    result | {"database": kind, "history": history, "idle_ms": idle, "sweep_ms": loaded}
                )
    rows = [
        [
            f"{result['database']}, {result['history']:,} finished",
            *(round(result["per_second"]), result["cpu"], result["idle_ms"], result["sweep_ms"]),
            *(round(result["worker_mb"]), result["foreign_cores"]),
        ]
        for result in results
    ]
    heads = ["tables", "refunds/s", "CPU s/1k", "idle sweep ms", f"sweep of {LOST} ms", "worker MB"]
    print(table("As the tables grow (stub, 0 ms)", [*heads, "foreign cores"], rows))
    return results


def _rounds(
    running: Servers, plan: Plan, runners: list[Runner], gateway: GatewayProcess, latency_ms: int
) -> Iterable[tuple[Runner, Result]]:
    measured: dict[Runner, list[Result]] = defaultdict(list)
    for number in range(plan.rounds):
        for runner in runners:
            count = plan.counts[latency_ms] // (2 if runner.subject == "actor" else 1)
            database = running.database(runner.database, f"drain_{gateway.pid}_{number}")
            drained = drain(
                runner.subject,
                running,
                database=database,
                gateway=gateway,
                count=count,
                in_flight=runner.in_flight,
            )
            measured[runner].append(drained.document())
    return [(runner, _median(results)) for runner, results in measured.items()]


def _median(results: list[Result]) -> Result:
    """The median of every figure; what is no figure is the same in all."""
    first = results[0]
    return {
        name: statistics.median(result[name] for result in results) if isinstance(value, float) else value
        for name, value in first.items()
    }


def _grow(database: DatabaseHandle, count: int, *, tag: str) -> None:
    store = database.open()
    add_finished(store, count=count, tag=tag)
    store.close()


if __name__ == "__main__":
    main()
