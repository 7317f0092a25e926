"""The worker process: one event loop for gateway calls, a pump a lane, a few threads for messages."""

import threading
import time

import dramatiq
import structlog

from config.settings import Settings
from refunds.bootstrap import House, open_house
from refunds.flow.dispatch import Dispatcher
from refunds.flow.heartbeat import Heartbeat
from refunds.process import catch_signals, wait_until_migrated
from worker.actors import declare

log = structlog.get_logger(__name__)

IDLE_MILLISECONDS = 100
"""dramatiq's consumer sleeps up to this long when idle; its default of a second shows in latency."""


class RunningWorker:
    """The worker's rooms, started; used by `moneyback worker` and, in one process with others, by `up`."""

    def __init__(self, house: House) -> None:
        self._stopping = threading.Event()
        self._dispatcher = Dispatcher(house.parts)
        self._heartbeat = Heartbeat(house.parts, role="worker")
        declare(house.broker, house.parts, self._dispatcher, stopping=self._stopping)
        self._messages = dramatiq.Worker(
            house.broker,
            worker_threads=house.settings.worker_threads,
            worker_timeout=IDLE_MILLISECONDS,
        )
        self._dispatcher.start()
        self._messages.start()

    def stop(self, *, within_seconds: float) -> bool:
        """Stop claiming, settle what is in flight, put messages back; True if nothing was cut short.

        All of it goes on at once and has the same time; it returns when that has passed.
        """
        deadline = time.monotonic() + within_seconds
        self._stopping.set()
        # dramatiq grants its limit to workers and consumers one after the other, and a goodbye is SQL that
        # may hang: neither may take the time of money in flight, nor hold the process beyond it.
        beside = [
            threading.Thread(target=self._stop_messages, args=(within_seconds,), name="last-messages"),
            threading.Thread(target=self._heartbeat.close, name="goodbye"),
        ]
        for thread in beside:
            thread.daemon = True
            thread.start()
        drained = self._dispatcher.stop(within_seconds=within_seconds)
        for thread in beside:
            thread.join(max(deadline - time.monotonic(), 0.0))
        return drained and not beside[0].is_alive()

    def _stop_messages(self, within_seconds: float) -> None:
        self._messages.stop(timeout=int(within_seconds * 1000))


def run(settings: Settings) -> int:
    """Work until SIGTERM or SIGINT. 0 if all in flight was settled, else 1: leases hand it on."""
    ending = catch_signals()
    house = open_house(settings, role="worker")
    if not wait_until_migrated(house.parts, ending):
        house.close()
        return 0
    worker = RunningWorker(house)
    log.info("worker.started", worker=house.parts.worker, gateways=sorted(house.parts.gateways))
    ending.wait()
    log.info("worker.stopping")
    drained = worker.stop(within_seconds=settings.shutdown_seconds)
    house.close()
    log.info("worker.stopped", drained=drained)
    return 0 if drained else 1
