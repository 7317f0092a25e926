"""What tests do in a house: put payments in, ask for refunds, let workers work, let time pass, look."""

import itertools
import threading
import time as clock
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from refunds.domain.balance import Balance
from refunds.domain.status import Kind, Status
from refunds.flow.dispatch import Dispatcher
from refunds.flow.intake import Accepted, Asked, Taken, take_in
from refunds.flow.parts import Parts
from refunds.flow.payments import Registered, register
from refunds.sandbox import judge
from refunds.sandbox.judge import SeenRequest
from refunds.store import evidence, lanes, notices, payments, refunds
from refunds.store.accounts import DEFAULT
from refunds.store.database import clocks, offset, set_offset
from refunds.store.lanes import Lane
from refunds.store.refunds import Refund
from tests.house_parts import Bell
from tests.sandbox_process import SandboxProcess

WITHIN_SECONDS = 15.0
LONG_AGO = "2020-01-01T00:00:00.000000Z"

_keys = itertools.count(1)


def eventually(fact: Callable[[], bool], *, within_seconds: float = WITHIN_SECONDS, what: str = "it") -> None:
    """Return once the fact holds; fail when it never does."""
    end = clock.monotonic() + within_seconds
    while not fact():
        assert clock.monotonic() < end, f"{what} never came true"
        threading.Event().wait(0.005)


@dataclass
class House:
    """One process's parts, and the gateway they speak to."""

    parts: Parts
    bank: SandboxProcess
    bell: Bell
    _dispatchers: list[Dispatcher] = field(default_factory=list)

    def close(self) -> None:
        """Stop what still works, close the database."""
        for dispatcher in self._dispatchers:
            dispatcher.stop(within_seconds=5)
        self.parts.database.close()

    # Putting things in

    def payment(self, captured: str = "100.00", *steps: Mapping[str, object], **more: Any) -> str:
        """Transaction id of a new payment in GBP, known here and at the gateway, which follows the steps."""
        transaction_id = f"tx_{uuid.uuid4().hex[:16]}"
        minor = round(float(captured) * 100)
        authorized = round(float(more.get("authorized_amount", 0)) * 100)
        self.bank.put_payments(
            [
                {
                    "transaction_id": transaction_id,
                    "currency": "GBP",
                    "captured_minor": minor,
                    "authorized_minor": authorized,
                    "script": {"steps": steps},
                    "options": more.pop("options", {}),
                },
            ],
        )
        form = {
            "order_id": f"order-{transaction_id}",
            "transaction_id": transaction_id,
            "captured_amount": captured,
            "currency": "GBP",
            **more,
        }
        [registered] = register(self.parts, [form])
        assert isinstance(registered, Registered), registered
        return transaction_id

    def ask(
        self,
        transaction_id: str,
        amount: str | None = None,
        *,
        key: str | None = None,
        kind: Kind = Kind.REFUND,
        **fields: Any,
    ) -> Taken:
        """Ask for a refund as a service does; no amount: everything."""
        document = {"transaction_id": transaction_id, **fields}
        if amount is not None:
            document["amount"] = amount
        asked = Asked(key or f"key-{next(_keys)}", document, kind)
        [taken] = take_in(self.parts, [asked], caller="shop", source="api")
        return taken

    def refund(self, transaction_id: str, amount: str | None = None, **fields: Any) -> str:
        """Id of a refund that was taken in."""
        taken = self.ask(transaction_id, amount, **fields)
        assert isinstance(taken, Accepted), taken
        return taken.refund.id

    # Letting it work

    @contextmanager
    def working(self) -> Iterator[Dispatcher]:
        """A worker process's pumps, drained at the end."""
        dispatcher = Dispatcher(self.parts)
        self._dispatchers.append(dispatcher)
        self.bell.dispatcher = dispatcher
        dispatcher.start()
        yield dispatcher
        self.bell.dispatcher = None
        self._dispatchers.remove(dispatcher)
        assert dispatcher.stop(within_seconds=10), "the pumps did not drain"

    def until(self, refund_id: str, *wanted: Status, hurry: bool = False) -> Refund:
        """The refund once it has one of these statuses; `hurry` jumps over times in which nothing is due."""
        end = clock.monotonic() + WITHIN_SECONDS
        while (refund := self.get(refund_id)).status not in wanted:
            assert clock.monotonic() < end, (refund.status, self.history(refund_id), self.look_ups(refund_id))
            if hurry:
                self.jump_to_due()
            threading.Event().wait(0.005)
        return refund

    def story(self, refund_id: str) -> list[str]:
        """Statuses it went through."""
        return [row["new"] for row in self.history(refund_id)]

    # Time

    def move_to_noon(self, zone: str = "UTC") -> None:
        """Put both clocks to noon of the day after tomorrow in a zone."""
        now = datetime.now(UTC)
        day = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=2)
        self.move_to(datetime.combine(day, time(12), ZoneInfo(zone)))

    def move_to(self, instant: datetime) -> None:
        """Put both clocks to an instant, the gateway's first."""
        ahead = instant - datetime.now(UTC)
        self.bank.set_clock(offset_seconds=ahead.total_seconds())
        with self.parts.database.begin() as tx:
            set_offset(tx, ahead)

    def pass_time(self, delta: timedelta) -> None:
        """Move both clocks forward, the gateway's first."""
        with self.parts.database.read() as tx:
            ahead = offset(tx) + delta
        self.bank.set_clock(offset_seconds=ahead.total_seconds())
        with self.parts.database.begin() as tx:
            set_offset(tx, ahead)

    def reopen_lanes(self) -> None:
        """As if the time for which trouble closed a lane, which is real time, were over."""
        with self.parts.database.begin() as tx:
            over = (
                "UPDATE lanes SET closed_until = '2020-01-01T00:00:00.000000Z' WHERE closed_until IS NOT NULL"
            )
            tx.execute(text(over))

    def jump_to_due(self) -> None:
        """If nothing is due or under way, move both clocks to the next moment at which a refund is."""
        with self.parts.database.read() as tx:
            now = clocks(tx)[1]
            leased = tx.execute(
                text("SELECT COUNT(*) FROM refunds WHERE lease_until IS NOT NULL")
            ).scalar_one()
            due = tx.execute(text("SELECT MIN(due_at) FROM refunds")).scalar_one()
        instant = datetime.fromisoformat(due) if isinstance(due, str) else due
        if not leased and instant is not None and instant > now:
            self.pass_time(instant - now + timedelta(milliseconds=1))
            self.reopen_lanes()

    @property
    def now(self) -> datetime:
        """The business clock."""
        with self.parts.database.read() as tx:
            return clocks(tx)[1]

    # Looking

    def get(self, refund_id: str) -> Refund:
        with self.parts.database.read() as tx:
            refund = refunds.get(tx, refund_id)
        assert refund is not None
        return refund

    def attempts(self, refund_id: str) -> list[dict[str, Any]]:
        with self.parts.database.read() as tx:
            return refunds.attempts_of(tx, refund_id)

    def look_ups(self, refund_id: str) -> list[dict[str, Any]]:
        with self.parts.database.read() as tx:
            return refunds.look_ups_of(tx, refund_id)

    def history(self, refund_id: str) -> list[dict[str, Any]]:
        with self.parts.database.read() as tx:
            return refunds.history_of(tx, refund_id)

    def evidence(self, refund_id: str) -> list[dict[str, Any]]:
        with self.parts.database.read() as tx:
            return evidence.evidence_of(tx, refund_id)

    def notices(self, refund_id: str) -> list[tuple[str, str]]:
        """(kind, address) of what people are told."""
        with self.parts.database.read() as tx:
            return [(row["kind"], row["address"]) for row in notices.of_refund(tx, refund_id)]

    def balance(self, transaction_id: str) -> Balance:
        with self.parts.database.read() as tx:
            [payment] = payments.find(tx, account=DEFAULT, order_ids=[], transaction_ids=[transaction_id])
        return payment.balance

    def lane(self) -> Lane:
        with self.parts.database.read() as tx:
            lane = lanes.get(tx, DEFAULT, "sandbox")
        assert lane is not None
        return lane

    def broken_sums(self) -> list[str]:
        with self.parts.database.read() as tx:
            return refunds.broken_sums(tx)

    def count(self, table: str) -> int:
        with self.parts.database.read() as tx:
            found: int = tx.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one()
        return found

    def slot(self, transaction_id: str) -> str | None:
        """Id of the refund that holds the payment's slot."""
        with self.parts.database.read() as tx:
            found: str | None = tx.execute(
                text("SELECT slot FROM payments WHERE transaction_id = :id"),
                {"id": transaction_id},
            ).scalar_one()
        return found

    def paid_minor(self, refund_id: str) -> int:
        """What the gateway's own ledger says was paid for this refund."""
        return judge.paid(self.bank.ledger).get(refund_id, (0, ""))[0]

    def doubled(self) -> list[str]:
        """Refunds of this house that the gateway paid more than once."""
        with self.parts.database.read() as tx:
            return sorted(refunds.get_many(tx, judge.doubled(self.bank.ledger)))

    def asked_of_gateway(self, refund_id: str) -> list[SeenRequest]:
        """Every request the gateway saw about this refund."""
        return judge.requests_for(self.bank.ledger, refund_id)

    def sent(self, refund_id: str) -> list[SeenRequest]:
        """The money requests among them."""
        return [seen for seen in self.asked_of_gateway(refund_id) if seen.method == "POST"]
