"""A scripted mail server in memory: the Channel port, and a book of what it has accepted."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from email import message_from_bytes

from refunds.ports import Delivery, Mail
from tests.guarantees.simulation.clock import VirtualClock


@dataclass(frozen=True, slots=True)
class Received:
    """A mail that the server took: from then on it is the server's."""

    message_id: str
    address: str
    refund_id: str
    event: str
    told: bool
    """False where the connection fell before the server could say so."""
    at: datetime


@dataclass(frozen=True, slots=True)
class Manners:
    """How often (0 to 1) a mail meets which trouble."""

    refuses_for_now: float = 0.0
    refuses_for_good: float = 0.0
    hangs: float = 0.0
    drops_before: float = 0.0
    drops_after_accepting: float = 0.0


GOOD = Manners()
HANG_SECONDS = 30.0


@dataclass(slots=True)
class Mailbox:
    """Steps pass `tap`: "mail.connect", "mail.accepted", "mail.told"."""

    clock: VirtualClock
    chance: random.Random
    manners: dict[str, Manners] = field(default_factory=dict)
    """By address; others are treated well."""
    received: list[Received] = field(default_factory=list)
    refused_for_good: set[tuple[str, str]] = field(default_factory=set)
    """(refund, address) whose mail met a lasting refusal."""
    counts: Counter[str] = field(default_factory=Counter)
    down: Callable[[], bool] = field(default=lambda: False)
    tap: Callable[[str], None] = field(default=lambda _: None)

    def deliver(self, mail: Mail) -> Delivery:
        """Take it, refuse it, hang or drop, by chance and by the manners of the address."""
        self.tap("mail.connect")
        self.counts["deliveries tried"] += 1
        manners = self.manners.get(mail.recipient, GOOD)
        luck = self.chance.random()
        troubles: tuple[tuple[float, Callable[[], Delivery]], ...] = (
            (manners.refuses_for_now, lambda: self._refuse(mail, final=False)),
            (manners.refuses_for_good, lambda: self._refuse(mail, final=True)),
            (manners.hangs, self._hang),
            (manners.drops_before, lambda: self._drop("before DATA")),
            (manners.drops_after_accepting, lambda: self._accept(mail, told=False)),
        )
        if self.down():
            return self._drop("nobody listens")
        for share, trouble in troubles:
            if luck < share:
                return trouble()
            luck -= share
        return self._accept(mail, told=True)

    def check(self) -> str | None:
        """All is well."""
        return None

    def _refuse(self, mail: Mail, *, final: bool) -> Delivery:
        self.counts["refused for good" if final else "refused for now"] += 1
        if final:
            self.refused_for_good.add((_headers(mail)["X-Moneyback-Refund"], mail.recipient))
        return Delivery(delivered=False, final=final, response="550 no" if final else "451 later")

    def _hang(self) -> Delivery:
        self.counts["hangs"] += 1
        self.clock.advance(HANG_SECONDS)
        return Delivery(delivered=False, final=False, response="timed out")

    def _drop(self, when: str) -> Delivery:
        self.counts["drops"] += 1
        return Delivery(delivered=False, final=False, response=f"connection lost {when}")

    def _accept(self, mail: Mail, *, told: bool) -> Delivery:
        headers = _headers(mail)
        self.received.append(
            Received(
                message_id=mail.message_id,
                address=mail.recipient,
                refund_id=headers["X-Moneyback-Refund"],
                event=headers["X-Moneyback-Event"],
                told=told,
                at=self.clock.now(),
            )
        )
        taken = self.received[-1]
        try:
            self.tap("mail.accepted")
            if told:
                self.tap("mail.told")
                return Delivery(delivered=True, final=False, response="250 ok")
        except BaseException:  # whoever asked has died, and nobody knows that it was taken
            self.received[-1] = replace(taken, told=False)
            raise
        self.counts["dropped after accepting"] += 1
        return Delivery(delivered=False, final=False, response="connection lost after DATA")


def _headers(mail: Mail) -> dict[str, str]:
    head = mail.content.partition(b"\r\n\r\n")[0]
    return dict(message_from_bytes(head + b"\r\n\r\n").items())
