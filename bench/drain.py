"""One drain: a worker starts on a full queue; how fast it settles, and what that costs."""

import itertools
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import text

from bench.processes import Tree, driver_busy, machine_busy
from bench.seed import add_due
from bench.servers import DatabaseHandle, GatewayProcess, Servers
from bench.worker_process import DrainError, Subject, worker
from refunds.store.database import Database
from refunds.store.types import Instant

_WARM_UP = 0.1
"""The first tenth of the refunds is not counted: imports, pools, plans."""

_LOOK_SECONDS = 0.2
_LIMIT_SECONDS = 60.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Drain:
    """One measured drain. CPU in seconds for 1,000 refunds, memory of the largest single process in MB."""

    subject: Subject
    in_flight: int | None
    settled: int
    per_second: float
    worker_cpu: float
    database_cpu: float
    gateway_cpu: float
    worker_mb: float
    gateway_mb: float
    foreign_cores: float
    """Cores used meanwhile by nothing of ours: distrust a figure where this is high."""

    @property
    def cpu(self) -> float:
        """Workers and database together. On SQLite the database is inside the worker."""
        return self.worker_cpu + self.database_cpu

    def document(self) -> dict[str, Any]:
        """For the JSON file."""
        return asdict(self) | {"cpu": self.cpu}


def drain(
    subject: Subject,
    servers: Servers,
    *,
    database: DatabaseHandle,
    gateway: GatewayProcess,
    count: int,
    in_flight: int | None = None,
) -> Drain:
    """Put `count` refunds in, start the worker, and watch it until they are settled."""
    tag = f"b{next(_numbers):03}_"
    store = database.open()
    try:
        add_due(store, count=count, tag=tag)
        _tidy(database)
        trees = {"worker": Tree(None), "database": Tree(database.server), "gateway": Tree(gateway.pid)}
        with worker(subject, servers, database=database, gateway=gateway, in_flight=in_flight) as process:
            trees["worker"].root = process.pid
            before, after = _watch(store, trees, count=count, alive=lambda: process.poll() is None)
        counted = (after.settled - before.settled) / 1000
        used = {name: after.cpu[name] - before.cpu[name] for name in trees}
        elsewhere = after.machine - before.machine - sum(used.values()) - (after.driver - before.driver)
        return Drain(
            subject=subject,
            in_flight=in_flight,
            settled=after.settled,
            per_second=_rate(store, tag=tag, count=count),
            worker_cpu=used["worker"] / counted,
            database_cpu=used["database"] / counted,
            gateway_cpu=used["gateway"] / counted,
            worker_mb=trees["worker"].peak_mb,
            gateway_mb=trees["gateway"].peak_mb,
            foreign_cores=max(elsewhere, 0.0) / (after.at - before.at),
        )
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class _Look:
    at: float
    settled: int
    cpu: dict[str, float]
    machine: float
    driver: float


def _watch(store: Database, trees: dict[str, Tree], *, count: int, alive: Any) -> tuple[_Look, _Look]:
    """What was used when the warm-up ended, and at the end."""
    deadline = time.monotonic() + _LIMIT_SECONDS
    warm: _Look | None = None
    while True:
        look = _Look(
            at=time.monotonic(),
            settled=count - _left(store),
            cpu={name: tree.sample() for name, tree in trees.items()},
            machine=machine_busy(),
            driver=driver_busy(),
        )
        if warm is None and look.settled >= count * _WARM_UP:
            warm = look
        if warm is not None and look.settled == count:
            return warm, look
        if not alive() or look.at > deadline:
            raise DrainError(f"{look.settled} of {count} settled, then nothing more")
        time.sleep(_LOOK_SECONDS)


def _left(store: Database) -> int:
    with store.read() as tx:
        left = tx.execute(text("SELECT count(*) FROM refunds WHERE status IN ('requested', 'attempting')"))
        return int(left.scalar_one())


def _rate(store: Database, *, tag: str, count: int) -> float:
    """Refunds settled per second, by the instants in their own rows, warm-up left out."""
    with store.read() as tx:
        finished = text(
            """SELECT a.finished_at FROM attempts a JOIN refunds r ON r.id = a.refund_id
            WHERE a.refund_id BETWEEN :first AND :last AND a.outcome = 'refunded' AND r.status = 'refunded'
            ORDER BY a.finished_at""",
        ).columns(finished_at=Instant())
        between = {"first": f"rf_{tag}", "last": f"rf_{tag}~"}
        instants: list[datetime] = [row[0] for row in tx.execute(finished, between)]
    if len(instants) != count:
        raise DrainError(f"{len(instants)} of {count} refunds have their attempt")
    warm = instants[int(count * _WARM_UP)]
    counted = sum(instant > warm for instant in instants)
    return counted / (instants[-1] - warm).total_seconds()


def _tidy(database: DatabaseHandle) -> None:
    """Every drain starts with the same statistics and an empty log."""
    if database.kind == "postgresql":
        with psycopg.connect(database.dsn, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE refunds, payments, attempts, history")
            connection.execute("CHECKPOINT")
