"""Every address gets its notice: a refusal of one is its own, a repeat is the same mail to the byte."""

import threading
from datetime import timedelta
from email import message_from_bytes
from typing import Any

import pytest
from sqlalchemy import text

from refunds.domain.status import Status
from refunds.flow.notify import deliver_due
from refunds.notifier.smtp import SmtpChannel
from refunds.store import accounts, notices
from refunds.store.database import clocks
from tests.conftest import StartSmtp  # type: ignore[attr-defined]
from tests.house_fixture import HouseMaker
from tests.house_of import House
from tests.house_parts import account
from tests.servers.mail_ledger import Fault
from tests.servers.smtp import SmtpSink

ADDRESSES = ("a@shop.test", "b@shop.test", "c@shop.test")
DECLINE = {"do": "decline", "code": "issuer_declined", "times": None}


@pytest.fixture
def sink(smtp: StartSmtp) -> SmtpSink:
    started: SmtpSink = smtp()
    return started


@pytest.fixture
def failing(open_house: HouseMaker, sqlite_url: str, sink: SmtpSink) -> House:
    """A house that tries once and then tells three addresses."""
    return _failing(open_house, sqlite_url, sink)


@pytest.fixture
def either_failing(open_house: HouseMaker, database_url: str, sink: SmtpSink) -> House:
    """The same, once on each database."""
    return _failing(open_house, database_url, sink)


def _failing(open_house: HouseMaker, url: str, sink: SmtpSink) -> House:
    channel = SmtpChannel(sink.url, timeout_seconds=1)
    return open_house(url, retry_days=0, channel=channel, notify_emails=ADDRESSES)


def fail(house: House, **fields: Any) -> str:
    refund_id = house.refund(house.payment("20.00", DECLINE), "5.00", **fields)
    with house.working():
        house.until(refund_id, Status.FAILED)
    return refund_id


def rows(house: House, refund_id: str) -> dict[str, dict[str, Any]]:
    with house.parts.database.read() as tx:
        return {row["address"]: row for row in notices.of_refund(tx, refund_id)}


def test_a_failed_refund_is_told_to_every_configured_address_once(
    either_failing: House, sink: SmtpSink
) -> None:
    refund_id = fail(either_failing)

    assert deliver_due(either_failing.parts) == 3
    assert deliver_due(either_failing.parts) == 0

    mails = {mail.rcpt: mail for mail in sink.mails()}
    assert set(mails) == set(ADDRESSES)
    assert len(sink.mails()) == 3
    for address, row in rows(either_failing, refund_id).items():
        assert (row["status"], row["message_id"]) == ("delivered", mails[address].message_id)
        assert message_from_bytes(mails[address].raw)["X-Moneyback-Refund"] == refund_id
    assert len({mail.message_id for mail in sink.mails()}) == 3


def test_the_account_s_and_the_request_s_addresses_are_told_too_and_nobody_twice(
    failing: House, sink: SmtpSink
) -> None:
    with failing.parts.database.begin() as tx:
        accounts.put(tx, account(retry_days=0, notify_emails=("owner@shop.test", "A@shop.test")))

    fail(failing, notify=["clerk@shop.test", "owner@shop.test"])
    deliver_due(failing.parts)

    assert sorted(mail.rcpt for mail in sink.mails()) == [
        *("a@shop.test", "b@shop.test", "c@shop.test", "clerk@shop.test", "owner@shop.test"),
    ]


def test_a_passing_refusal_is_tried_again_later(failing: House, sink: SmtpSink) -> None:
    refund_id = fail(failing)
    sink.set_fault("b@shop.test", Fault.REFUSE_4XX, times=2)

    assert deliver_due(failing.parts) == 3
    assert deliver_due(failing.parts) == 0
    assert rows(failing, refund_id)["b@shop.test"]["status"] == "pending"
    failing.pass_time(timedelta(minutes=1))
    assert deliver_due(failing.parts) == 1
    failing.pass_time(timedelta(minutes=1))
    assert deliver_due(failing.parts) == 0
    failing.pass_time(timedelta(minutes=4))
    assert deliver_due(failing.parts) == 1

    assert {address: row["status"] for address, row in rows(failing, refund_id).items()} == dict.fromkeys(
        ADDRESSES, "delivered"
    )
    assert sorted(mail.rcpt for mail in sink.mails()) == list(ADDRESSES)


def test_a_lasting_refusal_is_final_for_that_address_alone(failing: House, sink: SmtpSink) -> None:
    refund_id = fail(failing)
    sink.set_fault("b@shop.test", Fault.REFUSE_5XX)

    deliver_due(failing.parts)
    failing.pass_time(timedelta(days=1))
    assert deliver_due(failing.parts) == 0

    told = {address: (row["status"], row["tries"]) for address, row in rows(failing, refund_id).items()}
    assert told == {
        "a@shop.test": ("delivered", 1),
        "b@shop.test": ("given_up", 1),
        "c@shop.test": ("delivered", 1),
    }
    assert rows(failing, refund_id)["b@shop.test"]["response"].startswith("550")


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER_DATA, Fault.DROP_BEFORE_DATA, Fault.HANG])
def test_a_delivery_that_was_cut_is_repeated_with_the_same_message_id(
    failing: House, sink: SmtpSink, fault: Fault
) -> None:
    refund_id = fail(failing)
    sink.set_fault("b@shop.test", fault, times=1)

    deliver_due(failing.parts)
    assert rows(failing, refund_id)["b@shop.test"]["status"] == "pending"
    failing.pass_time(timedelta(minutes=1))
    deliver_due(failing.parts)

    mails = [mail for mail in sink.mails() if mail.rcpt == "b@shop.test"]
    assert len(mails) == (2 if fault is Fault.DROP_AFTER_DATA else 1)
    assert len({mail.message_id for mail in mails}) == 1
    assert len({mail.raw for mail in mails}) == 1
    assert {row["status"] for row in rows(failing, refund_id).values()} == {"delivered"}


def test_a_notifier_that_dies_after_delivery_repeats_the_same_mail_and_loses_none(
    either_failing: House, sink: SmtpSink
) -> None:
    refund_id = fail(either_failing)
    with either_failing.parts.database.begin() as tx:
        real, now = clocks(tx)
        claimed = notices.claim(tx, limit=2, now=now, real=real, lease=timedelta(minutes=3))
    assert len(claimed) == 2
    assert deliver_due(either_failing.parts) == 1

    with either_failing.parts.database.begin() as tx:
        tx.execute(
            text(
                "UPDATE notices SET lease_until = '2020-01-01T00:00:00.000000Z' WHERE lease_until IS NOT NULL"
            )
        )
    assert deliver_due(either_failing.parts) == 2

    assert sorted(mail.rcpt for mail in sink.mails()) == list(ADDRESSES)
    with either_failing.parts.database.begin() as tx:
        late = notices.record(
            tx, claimed[0], status="pending", due_at=None, message_id="<x>", response="", now=clocks(tx)[1]
        )
    assert not late
    assert {row["status"] for row in rows(either_failing, refund_id).values()} == {"delivered"}


def test_a_server_that_is_away_for_days_is_given_up_and_a_person_can_see_it(
    failing: House, sink: SmtpSink
) -> None:
    refund_id = fail(failing)
    sink.stop()

    for _ in range(60):
        if not deliver_due(failing.parts):
            failing.pass_time(timedelta(hours=3))

    assert {row["status"] for row in rows(failing, refund_id).values()} == {"given_up"}
    assert min(row["tries"] for row in rows(failing, refund_id).values()) >= 10


def test_two_notifiers_at_once_send_each_mail_once(either_failing: House, sink: SmtpSink) -> None:
    for _ in range(4):
        fail(either_failing)
    threads = [threading.Thread(target=deliver_due, args=(either_failing.parts,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(sink.mails()) == 12
    assert len({mail.message_id for mail in sink.mails()}) == 12


def test_a_slow_server_makes_no_second_notifier_repeat_what_the_first_still_holds(
    failing: House, sink: SmtpSink
) -> None:
    """What the first has not begun when its lease nears its end is left to whoever takes it over."""
    refund_id = fail(failing)
    first = min(rows(failing, refund_id).values(), key=lambda row: row["id"])["address"]
    sink.set_fault(first, Fault.HANG, times=1)

    deliver_due(failing.parts, lease=timedelta(seconds=1))

    assert sink.mails() == []
    with failing.parts.database.begin() as tx:
        tx.execute(text("UPDATE notices SET lease_until = NULL WHERE tries = 0"))
    deliver_due(failing.parts)
    failing.pass_time(timedelta(minutes=1))
    deliver_due(failing.parts)
    assert sorted(mail.rcpt for mail in sink.mails()) == list(ADDRESSES)


def test_a_notice_that_cannot_be_told_stops_no_other(failing: House, sink: SmtpSink) -> None:
    refund_id = fail(failing)
    poisoned = min(rows(failing, refund_id).values(), key=lambda row: row["id"])
    with failing.parts.database.begin() as tx:
        tx.execute(text("UPDATE notices SET kind = 'nonsense' WHERE id = :id"), {"id": poisoned["id"]})

    deliver_due(failing.parts)

    assert sorted(mail.rcpt for mail in sink.mails()) == sorted(set(ADDRESSES) - {poisoned["address"]})


def test_a_refund_in_doubt_tells_nobody_and_one_that_nobody_can_tell_does(
    open_house: HouseMaker, sqlite_url: str, sink: SmtpSink
) -> None:
    channel = SmtpChannel(sink.url, timeout_seconds=1)
    house = open_house(sqlite_url, grade="D", channel=channel, notify_emails=ADDRESSES[:1])
    refund_id = house.refund(house.payment("20.00", {"do": "reset_after"}, options={"keys": False}), "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)
    deliver_due(house.parts)

    [mail] = sink.mails()
    assert message_from_bytes(mail.raw)["X-Moneyback-Event"] == "outcome_unknown"
