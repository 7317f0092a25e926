"""How a world is furnished, and how rough it is."""

from dataclasses import dataclass
from datetime import timedelta

from refunds.store.accounts import DEFAULT


@dataclass(slots=True)
class Wishes:
    """How a world is furnished. `pace_seconds`: how long at most a due moment waits for a look.

    Chances from 0 to 1: of a ring to be lost, of a worker to be killed or frozen beyond its lease before any
    step, of a process to die at any step of the outside (`deaths_outside`).
    """

    workers: int = 2
    schedulers: int = 1
    places: int = 50
    notify_emails: tuple[str, ...] = ("oncall@shop.test", "finance@shop.test", "desk@shop.test")
    lose_rings: float = 0.0
    kills: float = 0.0
    freezes: float = 0.0
    deaths_outside: float = 0.0
    pace_seconds: float = 2.0
    lease: timedelta = timedelta(seconds=60)
    call_limit: timedelta = timedelta(seconds=20)
    watch: timedelta = timedelta(days=3)
    account: str = DEFAULT
