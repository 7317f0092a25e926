"""Signs of life of a process, written every few seconds for doctor and readiness."""

import socket
import threading

import structlog

from refunds.flow.parts import Parts
from refunds.flow.restore import check_high_water, keep_high_water
from refunds.store import ticks
from refunds.store.database import DatabaseUnavailableError, real_now

log = structlog.get_logger(__name__)

EVERY_SECONDS = 10.0


class Heartbeat:
    """Beats on a thread of its own until closed; begins by asking whether this is an old database."""

    def __init__(self, parts: Parts, *, role: str) -> None:
        self._parts = parts
        self._role = role
        self._checked = False
        self._check()  # before anything is claimed
        self._process = f"{role}={parts.worker}"
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and say goodbye where the database is there to hear it."""
        self._ending.set()
        self._thread.join(timeout=5)
        try:
            with self._parts.database.begin() as tx:
                ticks.gone(tx, process=self._process)
            keep_high_water(self._parts)
        except DatabaseUnavailableError as error:
            log.warning("heartbeat.no_goodbye", error=str(error))

    def _check(self) -> None:
        try:
            check_high_water(self._parts)
            self._checked = True
        except DatabaseUnavailableError as error:
            log.warning("heartbeat.not_checked", error=str(error))

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                if not self._checked:
                    self._check()
                with self._parts.database.begin() as tx:
                    ticks.beat(
                        tx,
                        process=self._process,
                        role=self._role,
                        host=socket.gethostname(),
                        real=real_now(tx),
                    )
                keep_high_water(self._parts)
            except DatabaseUnavailableError as error:
                log.warning("heartbeat.missed", error=str(error))
            self._ending.wait(EVERY_SECONDS)
