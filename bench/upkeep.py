"""What the scheduler's duties cost as the tables grow: looking for due work, and taking over dead leases."""

import time
from datetime import timedelta
from statistics import median

from sqlalchemy import text

from bench.intake import opened
from bench.seed import GATEWAY, add_due
from bench.servers import DatabaseHandle
from refunds.flow.parts import Parts
from refunds.flow.sweep import ring_due, sweep
from refunds.store import claims
from refunds.store.accounts import DEFAULT
from refunds.store.database import clocks

LOST = 500
"""Claims of a dead worker that one sweep takes over."""

_TIMES = 15


def sweep_times(database: DatabaseHandle, *, tag: str) -> tuple[float, float]:
    """Milliseconds: (ring and sweep with nothing to do, sweep that frees LOST claims with `tag`)."""
    with opened(database) as parts:
        idle = [_idle(parts) for _ in range(_TIMES)]
        loaded = _loaded(parts, tag=tag)
    return median(idle), loaded


def _idle(parts: Parts) -> float:
    began = time.perf_counter()
    ring_due(parts)
    assert sweep(parts) == 0
    return (time.perf_counter() - began) * 1000


def _loaded(parts: Parts, *, tag: str) -> float:
    add_due(parts.database, count=LOST, tag=tag)
    with parts.database.begin() as tx:
        real, now = clocks(tx)
        lost = claims.claim_due(
            tx,
            account=DEFAULT,
            gateway=GATEWAY,
            first=LOST,
            again=0,
            worker="dead",
            now=now,
            lease_until=real - timedelta(seconds=1),
        )
        assert len(lost) == LOST
    began = time.perf_counter()
    assert sweep(parts) == LOST
    took = (time.perf_counter() - began) * 1000
    with parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = 'cancelled', due_at = NULL WHERE status = 'requested'"))
    return took
