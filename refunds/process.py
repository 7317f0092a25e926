"""How a process of ours begins and ends."""

import os
import signal
import threading

import structlog

from refunds.flow.parts import Parts
from refunds.store.database import DatabaseUnavailableError
from refunds.store.schema import status

log = structlog.get_logger(__name__)


def catch_signals() -> threading.Event:
    """An event that SIGTERM and SIGINT set; a second signal ends the process at once, as a failure."""
    ending = threading.Event()

    def end(_number: int, _frame: object) -> None:
        if ending.is_set():
            os._exit(1)
        ending.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return ending


def wait_until_migrated(parts: Parts, ending: threading.Event) -> bool:
    """Wait until the database is there and migrated; False if the process has to end before."""
    while not ending.is_set():
        try:
            if status(parts.database).up_to_date:
                return True
            log.warning("process.waits", reason="the database is not migrated: moneyback db upgrade")
        except DatabaseUnavailableError as error:
            log.warning("process.waits", reason=str(error))
        ending.wait(2)
    return False
