"""The scheduler process."""

import threading
import time

import structlog

from config.settings import Settings
from refunds.bootstrap import open_house
from refunds.flow.heartbeat import Heartbeat
from refunds.flow.parts import Parts
from refunds.process import catch_signals, wait_until_migrated
from scheduler.ticks import start

log = structlog.get_logger(__name__)


class RunningScheduler:
    """The ticks and their sign of life, for `moneyback scheduler` and, beside others, `up` and the demo."""

    def __init__(self, parts: Parts, *, stopping: threading.Event) -> None:
        self._heartbeat = Heartbeat(parts, role="scheduler")
        self._ticking = start(parts, stopping=stopping)

    def stop(self, *, within_seconds: float) -> bool:
        """Stop ticking; True if nothing was cut off but a mail, which another scheduler sends."""
        deadline = time.monotonic() + within_seconds
        # Its goodbye is SQL, which may hang: everything here has the same time, at the same time.
        goodbye = threading.Thread(target=self._heartbeat.close, name="goodbye", daemon=True)
        goodbye.start()
        ended = self._ticking.stop(within_seconds=within_seconds)
        goodbye.join(max(deadline - time.monotonic(), 0.0))
        return ended


def run(settings: Settings) -> int:
    """Tick until SIGTERM or SIGINT; what is under way then has `Settings.shutdown_seconds` to end.

    0 if it ended, or if nothing was cut off but a mail to a server that says nothing: its lease hands it on,
    and no notice is lost. 1 if another duty hung, which only a database that hangs can cause.
    """
    ending = catch_signals()
    house = open_house(settings, role="scheduler")
    ended = True
    if wait_until_migrated(house.parts, ending):
        scheduler = RunningScheduler(house.parts, stopping=ending)
        log.info("scheduler.started", scheduler=house.parts.worker)
        ending.wait()
        log.info("scheduler.stopping")
        ended = scheduler.stop(within_seconds=settings.shutdown_seconds)
    house.close()
    log.info("scheduler.stopped", ended=ended)
    return 0 if ended else 1
