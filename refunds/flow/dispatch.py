"""Dispatch: a pump for every lane this process can serve, found in SQL, rung by wake-ups."""

import threading
import time

import structlog

from refunds.flow.calls import CallLoop
from refunds.flow.parts import Parts
from refunds.flow.pump import Pump
from refunds.store import lanes
from refunds.store.database import DatabaseUnavailableError

log = structlog.get_logger(__name__)


class Dispatcher:
    """All pumps of one worker process and the event loop they share."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._calls = CallLoop()
        self._pumps: dict[tuple[str, str], Pump] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._finder = threading.Thread(target=self._find_lanes, name="lanes", daemon=True)

    def start(self) -> None:
        """Begin to work every lane, and look for new lanes every few seconds."""
        self._finder.start()

    def ring(self, account: str, gateway: str) -> None:
        """A wake-up: this lane has work. Unknown lanes are passed over; they are found by looking."""
        with self._guard:
            pump = self._pumps.get((account, gateway))
        if pump is None and not self._stopping.is_set() and gateway in self._parts.gateways:
            pump = self._start_pump(account, gateway)
        if pump is not None:
            pump.ring()

    def stop(self, *, within_seconds: float) -> bool:
        """Claim no more and settle what is in flight; True if all of it was settled in time."""
        self._stopping.set()
        deadline = time.monotonic() + within_seconds
        with self._guard:
            pumps = list(self._pumps.values())
        for pump in pumps:
            pump.stop()
        drained = True
        for pump in pumps:
            drained &= pump.join(max(deadline - time.monotonic(), 0.0))
        for part in self._parts.gateways.values():
            self._calls.run(part.gateway.close())
        self._calls.close()
        return drained

    def _find_lanes(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._parts.database.read() as tx:
                    found = [(lane.account, lane.gateway) for lane in lanes.get_all(tx)]
            except DatabaseUnavailableError as error:
                log.warning("dispatch.database_away", error=str(error))
                found = []
            for account, gateway in found:
                if gateway in self._parts.gateways:
                    self._start_pump(account, gateway)
            self._stopping.wait(self._parts.poll.total_seconds())

    def _start_pump(self, account: str, gateway: str) -> Pump:
        with self._guard:
            pump = self._pumps.get((account, gateway))
            if pump is None:
                pump = self._pumps[account, gateway] = Pump(self._parts, self._calls, account, gateway)
                if self._stopping.is_set():
                    pump.stop()
                pump.start()
        return pump
