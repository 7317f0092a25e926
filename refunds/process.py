"""How a process of ours begins and ends."""

import os
import signal
import socket
import threading
from datetime import timedelta

import structlog

from refunds.flow.parts import Parts
from refunds.store import ticks
from refunds.store.database import DatabaseUnavailableError, real_now
from refunds.store.health import postgres_health, sqlite_health
from refunds.store.schema import status

log = structlog.get_logger(__name__)


STALE = timedelta(seconds=60)


class SecondHostError(Exception):
    """Another host works on this SQLite file, where locks do not hold between hosts: nothing was started."""


def refuse_second_host(parts: Parts) -> None:
    """SQLite is for one host; raises SecondHostError while another one shows signs of life in the file."""
    if not parts.database.sqlite:
        return
    with parts.database.read() as tx:
        real, beats = real_now(tx), ticks.beats(tx)
    for beat in beats:
        if beat.host != socket.gethostname() and real - beat.at < STALE:
            raise SecondHostError(
                f"host {beat.host!r} works on this SQLite file, last seen {beat.at:%H:%M:%S} UTC; SQLite is"
                " for one host: stop it there and wait a minute, or use PostgreSQL",
            )


class UnsafeDatabaseError(Exception):
    """The database may lose what it has committed: nothing was started. The text ends in how to mend it."""


def refuse_unsafe_database(parts: Parts) -> None:
    """Raises UnsafeDatabaseError for a database that may lose commits, as refunds would then be paid again.

    SQLite everywhere; PostgreSQL in production alone, for test servers run without fsync.
    """
    with parts.database.read() as tx:
        wrong = sqlite_health(tx).fault() if parts.database.sqlite else postgres_health(tx).fault()
    if wrong is not None and (parts.database.sqlite or parts.mail.environment == "production"):
        raise UnsafeDatabaseError(f"{wrong.what}; {wrong.fix}")


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
    """Wait until the database is there and migrated; False if the process has to end before.

    Raises SecondHostError, and UnsafeDatabaseError for a database that may lose commits.
    """
    while not ending.is_set():
        try:
            if status(parts.database).up_to_date:
                refuse_second_host(parts)
                refuse_unsafe_database(parts)
                return True
            log.warning("process.waits", reason="the database is not migrated: moneyback db upgrade")
        except DatabaseUnavailableError as error:
            log.warning("process.waits", reason=str(error))
        ending.wait(2)
    return False
