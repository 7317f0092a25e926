"""What a process's flow is made of; put together by refunds.bootstrap alone."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from refunds.domain.watch import first_watch
from refunds.flow.suspension import suspended_clock
from refunds.ports import Channel, Gateway, Wakeup
from refunds.store.database import Database


@dataclass(frozen=True, slots=True)
class GatewayPart:
    """A gateway with its limits for one lane of one process."""

    gateway: Gateway
    max_in_flight: int
    calls_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class MailPart:
    """How notices look and whom they always reach."""

    notify_emails: tuple[str, ...]
    sender: str
    host: str
    environment: str
    version: str
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything a stage may use. `worker` names this process in leases and history.

    `redis_answers` tells within half a second whether Redis does; None where none is configured.
    Twice the call limit < lease is asserted at start: a look-up and a call never outlive their claim.
    """

    database: Database
    gateways: Mapping[str, GatewayPart]
    wakeup: Wakeup
    channel: Channel
    mail: MailPart
    worker: str
    default_gateway: str | None = None
    lease: timedelta = timedelta(seconds=60)
    call_limit: timedelta = timedelta(seconds=20)
    poll: timedelta = timedelta(seconds=2)
    watch: timedelta = timedelta(days=14)
    """How long the gateway is asked again about a refund that is at its end."""
    high_water: Path | None = None
    """A file outside the database that keeps how far its history came; None: none is kept."""
    redis_answers: Callable[[], bool] | None = None
    elapsed: Callable[[], float] = suspended_clock
    """Seconds on a clock that goes on during suspension: nothing is sent once a lease is over by it."""
    chance: Callable[[], float] = random.random
    """A number from 0 to 1 that spreads waits; it guards nothing."""
    callback_hosts: frozenset[str] = field(default_factory=frozenset)

    def watch_from(self, gateway: str, now: datetime) -> dict[str, datetime | None]:
        """When a refund of this gateway that is at its end from now on is looked up; by column."""
        if gateway not in self.gateways:
            return {}
        return first_watch(self.gateways[gateway].gateway.abilities, watch=self.watch, now=now)

    def __post_init__(self) -> None:
        """Refuse limits under which a zombie could still pay."""
        if not self.call_limit * 2 < self.lease:
            raise ValueError("the lease must be longer than twice the call limit")
