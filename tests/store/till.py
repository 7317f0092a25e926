"""Rows for tests of the store: payments and refunds in one lane, claimed and settled by hand."""

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from refunds.domain.judge import Reservation, Verdict
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status
from refunds.store import accounts, claims, lanes, leases, payments, refunds, requests
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import Database, Tx, clocks
from refunds.store.refunds import Refund
from refunds.store.settled import Settled
from refunds.store.settlement import settle_group
from tests.house_parts import account

LEASE = timedelta(seconds=60)
_numbers = itertools.count(1)


def paid(claim: Claim, *, reference: str = "sre_1") -> Settled:
    """The gateway paid it."""
    return Settled(
        claim,
        Verdict(Status.REFUNDED, "the gateway paid", reservation=Reservation.BOOK),
        answer=Answer(Outcome.REFUNDED, reference=reference),
    )


def declined(claim: Claim, *, due_at: datetime) -> Settled:
    """The gateway refused; the refund waits for its next run."""
    verdict = Verdict(Status.QUEUED, "issuer_declined", due_at=due_at, counted=True, new_key=True)
    return Settled(claim, verdict, answer=Answer(Outcome.DECLINED, "issuer_declined"))


def failed(claim: Claim) -> Settled:
    """The gateway refused for the last time."""
    verdict = Verdict(
        Status.FAILED,
        "issuer_declined",
        counted=True,
        new_key=True,
        reservation=Reservation.RELEASE,
        notices=(NoticeKind.FAILED,),
    )
    return Settled(claim, verdict, answer=Answer(Outcome.DECLINED, "issuer_declined"))


@dataclass
class Till:
    """One lane of the default account."""

    database: Database

    def payment(self, captured_minor: int = 10_000, *, gateway: str = "sandbox") -> str:
        """Id of a new payment."""
        number = next(_numbers)
        with self.database.begin() as tx:
            lanes.ensure(tx, DEFAULT, gateway)
            payments.add_many(
                tx,
                [
                    {
                        "id": f"pm_{number}",
                        "account": DEFAULT,
                        "gateway": gateway,
                        "order_id": f"order-{number}",
                        "transaction_id": f"tx-{number}",
                        "currency": "GBP",
                        "status": "captured",
                        "captured_minor": captured_minor,
                        "created_at": clocks(tx)[1],
                    },
                ],
            )
        return f"pm_{number}"

    def refund(self, payment_id: str, amount_minor: int = 100, **columns: Any) -> str:
        """Id of a new refund that is due, its amount reserved."""
        [refund_id] = self.refunds([payment_id], amount_minor, **columns)
        return refund_id

    def refunds(self, payment_ids: Sequence[str], amount_minor: int = 100, **columns: Any) -> list[str]:
        """Ids of new refunds, one for each named payment."""
        ids = [f"rf_{next(_numbers):08}" for _ in payment_ids]
        with self.database.begin() as tx:
            now = clocks(tx)[1]
            row = {
                "kind": "refund",
                "account": DEFAULT,
                "gateway": "sandbox",
                "amount_minor": amount_minor,
                "currency": "GBP",
                "status": Status.REQUESTED,
                "due_at": now,
                "request": {},
                "requested_by": "test",
                "created_at": now,
                "updated_at": now,
                **columns,
            }
            for id_, payment_id in zip(ids, payment_ids, strict=True):
                payments.reserve(tx, {payment_id: amount_minor})
                requests.add_refunds(tx, [{"id": id_, "payment_id": payment_id, **row}], actor_why="test")
        return ids

    def claim(
        self, *, first: int = 10, again: int = 10, lease: timedelta = LEASE, **more: Any
    ) -> list[Claim]:
        """What a worker gets now."""
        with self.database.begin() as tx:
            return self.claim_in(tx, first=first, again=again, lease=lease, **more)

    def claim_in(
        self,
        tx: Tx,
        *,
        first: int = 10,
        again: int = 10,
        lease: timedelta = LEASE,
        gateway: str = "sandbox",
        worker: str = "worker-1",
    ) -> list[Claim]:
        """The same inside a transaction."""
        real, now = clocks(tx)
        return claims.claim_due(
            tx,
            account=DEFAULT,
            gateway=gateway,
            first=first,
            again=again,
            worker=worker,
            now=now,
            lease_until=real + lease,
        )

    def claim_one(self, refund_id: str, *, lease: timedelta = LEASE) -> Claim:
        """The claim of the one refund that is due."""
        [claim] = self.claim(lease=lease)
        assert claim.refund_id == refund_id
        return claim

    def mark(self, *claimed: Claim, call_limit: timedelta = timedelta(seconds=20)) -> set[str]:
        """Ids that may be sent."""
        with self.database.begin() as tx:
            real, now = clocks(tx)
            marked = claims.mark_sending(
                tx,
                [(claim, None) for claim in claimed],
                now=now,
                lease_beyond=real + call_limit,
            )
            return {refund_id for refund_id, _ in marked}

    def take_over(self) -> list[str]:
        """What the sweep frees."""
        with self.database.begin() as tx:
            real, now = clocks(tx)
            return leases.take_over_unsent(tx, real=real, now=now, worker="sweep")

    def settle(self, *group: Settled) -> set[str]:
        """Ids that were booked."""
        with self.database.begin() as tx:
            return settle_group(tx, group, worker="worker-1", now=clocks(tx)[1])

    def end_lease(self, refund_id: str) -> None:
        """As if the lease had run out an hour ago."""
        with self.database.begin() as tx:
            tx.execute(
                text("UPDATE refunds SET lease_until = '2020-01-01T00:00:00.000000Z' WHERE id = :id"),
                {"id": refund_id},
            )

    def get(self, refund_id: str) -> Refund:
        with self.database.read() as tx:
            refund = refunds.get(tx, refund_id)
        assert refund is not None
        return refund

    def row(self, table: str, id_: str) -> dict[str, Any]:
        """All columns of one row."""
        with self.database.read() as tx:
            return dict(
                tx.execute(text(f"SELECT * FROM {table} WHERE id = :id"), {"id": id_}).mappings().one(),
            )

    def sums(self, payment_id: str) -> tuple[int, int]:
        """(reserved, refunded) of a payment."""
        row = self.row("payments", payment_id)
        return row["reserved_minor"], row["refunded_minor"]

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Whatever a test wants to see."""
        with self.database.read() as tx:
            return [tuple(row) for row in tx.execute(text(sql), values)]


def at_once(*works: Any) -> list[BaseException | None]:
    """Run all on threads of their own that begin together; what each raised."""
    errors: list[BaseException | None] = [None] * len(works)
    gate = threading.Barrier(len(works))

    def run(index: int) -> None:
        gate.wait(10)
        try:
            works[index]()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return errors


@pytest.fixture
def till(database: Database) -> Till:
    """A till in a migrated database, once of each kind, with the default account."""
    with database.begin() as tx:
        accounts.put(tx, account())
    return Till(database)
