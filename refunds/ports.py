"""What the flow asks of the outside, in our words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from refunds.domain.abilities import Abilities
from refunds.domain.outcome import Answer, LookUpAnswer
from refunds.domain.status import Kind


@dataclass(frozen=True, slots=True)
class Call:
    """One thing asked of a gateway: all it needs, and nothing it could not know.

    `key` is refund id and generation; `reference` is the refund id, by which a look-up finds it again.
    `may_send` is asked immediately before the request is written: False means hand back, nothing was sent.
    """

    kind: Kind
    reference: str
    key: str
    transaction_id: str
    order_id: str
    amount_minor: int
    currency: str
    reason: str | None
    may_send: Callable[[], bool]
    accepted_reference: str | None = None
    """The gateway's own reference of what it accepted or paid, while it is submitted or refunded."""


class Gateway(Protocol):
    """One payment platform. Neither method raises for anything the outside does: doubt is an answer."""

    @property
    def abilities(self) -> Abilities:
        """What this gateway can do."""
        ...

    async def pay(self, call: Call) -> Answer:
        """Ask once for the refund or void, within the call limit. Never sends a second request by itself."""
        ...

    async def look_up(self, call: Call) -> LookUpAnswer:
        """Ask what became of this refund. Moves no money."""
        ...

    async def check(self) -> str | None:
        """A harmless read with our credentials: None if all is well, else what is wrong, for a person."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class Wakeup(Protocol):
    """Rings lanes; best effort, never raises, carries no truth."""

    def ring(self, account: str, gateway: str) -> None:
        """Tell some worker that this lane has work."""
        ...


@dataclass(frozen=True, slots=True)
class Mail:
    """One message to one address: bytes ready for the wire, built from rows and never changed after."""

    recipient: str
    sender: str
    message_id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one mail. `final` tells a lasting refusal from one worth another try."""

    delivered: bool
    final: bool
    response: str


class Channel(Protocol):
    """Delivers mail. Never raises for anything the outside does."""

    def deliver(self, mail: Mail) -> Delivery:
        """Try once, within the channel's time limit."""
        ...

    def check(self) -> str | None:
        """None if mail can leave, else what is wrong, for a person."""
        ...
