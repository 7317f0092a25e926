"""What ticks when. Any number of schedulers share the ticks: each slot is taken once, in SQL."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from refunds.flow.audit import audit_sums
from refunds.flow.notify import deliver_due
from refunds.flow.overdue import ask_about_overdue
from refunds.flow.parts import Parts
from refunds.flow.sweep import ring_due, sweep
from refunds.flow.ticking import take_slot
from refunds.flow.unpaid import tell_long_unpaid
from refunds.store.database import DatabaseUnavailableError
from scheduler.threads import TickThreads

log = structlog.get_logger(__name__)

Duty = Callable[[Parts, threading.Event], int]
"""Does what is due, less of it once the event is set; returns how much was done."""


@dataclass(frozen=True, slots=True)
class Tick:
    """One duty and how often it is looked at.

    `cut_is_harmless`: a duty that the end of the process cuts off is handed on with nothing to mend.
    """

    name: str
    every_seconds: int
    duty: Duty
    cut_is_harmless: bool = False


TICKS = (
    # Daily runs, ended outages, due look-ups: all of it is a due time in SQL.
    Tick("ring", 2, lambda parts, _: ring_due(parts)),
    Tick("sweep", 5, lambda parts, _: sweep(parts)),
    Tick("audit", 30, lambda parts, _: audit_sums(parts)),
    Tick("overdue", 60, lambda parts, _: ask_about_overdue(parts)),
    Tick("unpaid", 60, lambda parts, _: tell_long_unpaid(parts)),
    # The lease of a mail that was cut off hands it on; sent twice it has the same Message-ID.
    Tick(
        "notices",
        2,
        lambda parts, stopping: deliver_due(parts, stopping=stopping.is_set),
        cut_is_harmless=True,
    ),
)


class Ticking:
    """Ticks that have begun. `stop` is called once."""

    def __init__(self, parts: Parts, stopping: threading.Event, ticks: Sequence[Tick]) -> None:
        self._stopping = stopping
        self._ticks = {tick.name: tick for tick in ticks}
        self._threads = TickThreads()
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            executors={"default": self._threads},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        for tick in ticks:
            self._scheduler.add_job(
                run_tick, "interval", (parts, tick, stopping), seconds=tick.every_seconds, id=tick.name
            )
        self._scheduler.start()

    def stop(self, *, within_seconds: float) -> bool:
        """Begin no more and wait for what is under way; True if nothing was cut off but what may be.

        A duty that hangs holds nobody: its thread ends with the process.
        """
        self._stopping.set()
        self._scheduler.shutdown(wait=False)
        cut = self._threads.join(within_seconds=within_seconds)
        if cut:
            log.warning("ticks.cut", ticks=sorted(cut))
        return all(self._ticks[name].cut_is_harmless for name in cut)


def start(parts: Parts, *, stopping: threading.Event, ticks: Sequence[Tick] = TICKS) -> Ticking:
    """Begin to tick. Late ticks run once, never twice, and are never dropped as misfires.

    Once `stopping` is set no duty begins, and a delivery ends after the mail that it is at.
    """
    return Ticking(parts, stopping, ticks)


def run_tick(parts: Parts, tick: Tick, stopping: threading.Event) -> bool:
    """Do the duty if this slot is still free; True if it was ours. A failure is logged."""
    try:
        ours = not stopping.is_set() and take_slot(parts, tick.name, tick.every_seconds)
        if ours:
            tick.duty(parts, stopping)
    except DatabaseUnavailableError as error:
        log.warning("tick.database_away", tick=tick.name, error=str(error))
        return False
    except Exception:
        log.exception("tick.failed", tick=tick.name)
        return False
    return ours
