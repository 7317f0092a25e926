"""The scheduler process."""

import structlog

from config.settings import Settings
from refunds.bootstrap import open_house
from refunds.flow.heartbeat import Heartbeat
from refunds.process import catch_signals, wait_until_migrated
from scheduler.ticks import start

log = structlog.get_logger(__name__)


def run(settings: Settings) -> int:
    """Tick until SIGTERM or SIGINT; 0 when the ticks under way have ended."""
    ending = catch_signals()
    house = open_house(settings, role="scheduler")
    if wait_until_migrated(house.parts, ending):
        heartbeat = Heartbeat(house.parts, role="scheduler")
        scheduler = start(house.parts)
        log.info("scheduler.started", scheduler=house.parts.worker)
        ending.wait()
        scheduler.shutdown(wait=True)
        heartbeat.close()
    house.close()
    log.info("scheduler.stopped")
    return 0
