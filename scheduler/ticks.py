"""What ticks when. Any number of schedulers share the ticks: each slot is taken once, in SQL."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from refunds.flow.notify import deliver_due
from refunds.flow.parts import Parts
from refunds.flow.sweep import ring_due, sweep
from refunds.store import ticks
from refunds.store.database import DatabaseUnavailableError, real_now

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """One duty and how often it is looked at."""

    name: str
    every_seconds: int
    duty: Callable[[Parts], int]


TICKS = (
    Tick("ring", 2, ring_due),  # daily runs, ended outages, due look-ups: all of it is a due time in SQL
    Tick("sweep", 5, sweep),
    Tick("notices", 2, deliver_due),
)


def start(parts: Parts) -> BackgroundScheduler:
    """Begin to tick. Late ticks run once, never twice, and are never dropped as misfires."""
    scheduler = BackgroundScheduler(
        timezone="UTC",
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )
    for tick in TICKS:
        scheduler.add_job(run_tick, "interval", (parts, tick), seconds=tick.every_seconds, id=tick.name)
    scheduler.start()
    return scheduler


def run_tick(parts: Parts, tick: Tick) -> bool:
    """Do the duty if this slot is still free; True if it was ours. A failure is logged."""
    try:
        with parts.database.begin() as tx:
            real = real_now(tx)
            slot = int(real.timestamp()) // tick.every_seconds
            ours = ticks.take(tx, tick=tick.name, slot=slot, by=parts.worker, real=real)
        if ours:
            tick.duty(parts)
    except DatabaseUnavailableError as error:
        log.warning("tick.database_away", tick=tick.name, error=str(error))
        return False
    except Exception:
        log.exception("tick.failed", tick=tick.name)
        return False
    return ours
