"""Silences that a hunt found once: a mail, an answer, a claim or a doubt that nobody would have heard of."""

import asyncio
from datetime import timedelta
from pathlib import Path

from sqlalchemy import text

from refunds.domain.outcome import Answer, Outcome
from refunds.domain.status import Status
from refunds.flow.attempt import Attempted, Resolved
from refunds.flow.intake import Accepted, Asked
from refunds.flow.notify import deliver_due
from refunds.flow.resolve import resolve
from refunds.flow.settle import settle
from refunds.flow.suspension import suspended_clock
from refunds.flow.sweep import sweep
from refunds.notifier.smtp import SmtpChannel
from refunds.store import claims, notices
from refunds.store.accounts import DEFAULT
from refunds.store.claim import Claim
from refunds.store.database import clocks
from tests.conftest import StartSmtp  # type: ignore[attr-defined]
from tests.flow.asking import take
from tests.flow.elsewhere import UNHURRIED, pay_elsewhere
from tests.house_fixture import LEASE, HouseMaker
from tests.house_of import LONG_AGO, House
from tests.sandbox_process import sandbox
from tests.servers.mail_ledger import Fault

DECLINE = {"do": "decline", "code": "issuer_declined"}
SENDING = """UPDATE refunds SET gateway = :gateway, status = 'attempting', prior = 'requested', attempts = 1,
    fence = 1, claimed_at = created_at, sending_at = created_at, lease_until = :long_ago, due_at = NULL
    WHERE status = 'requested'"""


def _mails(house: House, refund_id: str) -> list[tuple[str, int]]:
    with house.parts.database.read() as tx:
        return [(row["status"], row["tries"]) for row in notices.of_refund(tx, refund_id)]


def test_a_mail_first_tried_after_days_of_downtime_is_tried_again(
    open_house: HouseMaker, sqlite_url: str, smtp: StartSmtp
) -> None:
    sink = smtp()
    sink.set_fault("oncall@shop.test", Fault.REFUSE_4XX, times=1)
    house = open_house(sqlite_url, retry_days=0, channel=SmtpChannel(sink.url, timeout_seconds=1))
    refund_id = house.refund(house.payment("20.00", DECLINE), "5.00")
    with house.working():
        house.until(refund_id, Status.FAILED)
    house.pass_time(timedelta(days=3, minutes=1))

    assert deliver_due(house.parts) == 1
    assert _mails(house, refund_id) == [("pending", 1)]
    house.pass_time(timedelta(minutes=1))
    assert deliver_due(house.parts) == 1

    assert _mails(house, refund_id) == [("delivered", 2)]
    assert [mail.rcpt for mail in sink.mails()] == ["oncall@shop.test"]


def _end_leases_in_sending(house: House, *, gateway: str) -> None:
    with house.parts.database.begin() as tx:
        tx.execute(text(SENDING), {"gateway": gateway, "long_ago": LONG_AGO})


def test_claims_of_a_gateway_that_is_not_configured_do_not_starve_the_sweep(either_house: House) -> None:
    house = either_house
    began = house.now.timestamp()
    payment = {"captured_amount": "10.00", "currency": "GBP"}
    asked = [
        Asked(f"k{n}", {"amount": "1.00", "payment": {**payment, "order_id": id_, "transaction_id": id_}})
        for n, id_ in enumerate(f"gone-{began}-{n}" for n in range(500))
    ]
    assert all(isinstance(taken, Accepted) for taken in take(house, *asked))
    _end_leases_in_sending(house, gateway="gone")
    refund_id = house.refund(house.payment("10.00"), "1.00")
    _end_leases_in_sending(house, gateway="sandbox")

    assert sweep(house.parts) == 1

    assert house.get(refund_id).status is Status.IN_DOUBT


def _claim_in_doubt(house: House) -> Claim:
    """The claim of the one refund that is to be asked about, its lease already over."""
    with house.parts.database.begin() as tx:
        real, now = clocks(tx)
        [claim] = claims.claim_look_ups(
            tx,
            account=DEFAULT,
            gateway="sandbox",
            limit=2,
            now=now,
            real=real,
            lease_until=real - timedelta(seconds=1),
        )
    return claim


def _resend(house: House, claim: Claim) -> Resolved:
    """Ask by sending the same key again, as a pump does."""

    async def work() -> Resolved:
        until = suspended_clock() + LEASE.total_seconds()
        resolved = await resolve(house.parts, claim, key_lives=True, until=until)
        await house.parts.gateways["sandbox"].gateway.close()
        return resolved

    return asyncio.run(work())


def test_a_resend_that_paid_under_a_lost_lease_leaves_evidence(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url, grade="C")
    payment = house.payment("20.00", options={"look_up": False})
    refund_id = house.refund(payment, "5.00")
    with house.parts.database.begin() as tx:
        real, now = clocks(tx)
        lane = {"account": DEFAULT, "gateway": "sandbox", "worker": "lost"}
        [claim] = claims.claim_due(tx, **lane, first=1, again=1, now=now, lease_until=real + LEASE)
    settle(house.parts, [Attempted(claim, Answer(Outcome.UNKNOWN, "timeout"))])
    house.pass_time(timedelta(minutes=1))
    lost = _claim_in_doubt(house)
    holder = _claim_in_doubt(house)

    resolved = _resend(house, lost)

    assert settle(house.parts, [resolved]) == set()
    assert house.paid_minor(refund_id) == 500
    [found] = house.evidence(refund_id)
    assert found["source"] == "late_answer"
    assert (found["content"]["outcome"], found["content"]["reference"]) == (
        "refunded",
        resolved.found.reference,
    )
    assert house.get(refund_id).status is Status.IN_DOUBT
    assert settle(house.parts, [_resend(house, holder)]) == {refund_id}
    assert house.get(refund_id).status is Status.REFUNDED
    assert house.doubled() == []


def test_two_refunds_of_ours_at_the_gateway_are_no_clear_word(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    house = open_house(sqlite_url, **UNHURRIED)
    payment = house.payment("20.00", {"do": "reset_before"})
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.IN_DOUBT)
        for key in ("0", "00"):
            pay_elsewhere(house, refund_id, key=f"{refund_id}-{key}")
        house.until(refund_id, Status.NEEDS_REVIEW, Status.REFUNDED, hurry=True)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert {(row["finding"], row["code"]) for row in house.look_ups(refund_id)} == {
        ("unclear", "several_refunds"),
    }
    assert house.notices(refund_id) == [("outcome_unknown", "oncall@shop.test")]
    assert house.balance(payment).reserved_minor == 500


def test_a_payment_unknown_to_the_gateway_is_no_proof_that_nothing_was_paid(
    open_house: HouseMaker, sqlite_url: str, tmp_path: Path
) -> None:
    """The credentials may have become those of another merchant."""
    house = open_house(sqlite_url, **UNHURRIED)
    payment = house.payment("20.00", {"do": "reset_after"})
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.IN_DOUBT)
    with sandbox(ledger=tmp_path / "other.sqlite", strict=True) as other_merchant:
        other = open_house(sqlite_url, bank=other_merchant, begins=False)
        with other.working():
            other.until(refund_id, Status.NEEDS_REVIEW, Status.QUEUED, Status.FAILED, hurry=True)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert {(row["finding"], row["code"]) for row in house.look_ups(refund_id)} == {
        ("unclear", "payment_unknown"),
    }
    assert house.balance(payment).reserved_minor == 500
    assert house.paid_minor(refund_id) == 500
