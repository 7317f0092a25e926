"""How a world is furnished, and how rough it is."""

from dataclasses import dataclass
from datetime import timedelta

from refunds.store.accounts import DEFAULT


@dataclass(slots=True)
class Wishes:
    """How a world is furnished. `pace_seconds`: how long at most a due moment waits for a look.

    Chances from 0 to 1: of a ring to be lost, of a worker to be killed, frozen beyond its lease or told to
    stop before any step, of all rings to be lost before it (`flushes`), of a process to die at any step of
    the outside (`deaths_outside`).
    `watch`: how long after their end refunds are asked about.
    """

    workers: int = 2
    schedulers: int = 1
    places: int = 50
    notify_emails: tuple[str, ...] = ("oncall@shop.test", "finance@shop.test", "desk@shop.test")
    lose_rings: float = 0.0
    kills: float = 0.0
    freezes: float = 0.0
    deaths_outside: float = 0.0
    sigterms: float = 0.0
    flushes: float = 0.0
    pace_seconds: float = 2.0
    lease: timedelta = timedelta(seconds=60)
    call_limit: timedelta = timedelta(seconds=20)
    watch: timedelta = timedelta()
    account: str = DEFAULT
