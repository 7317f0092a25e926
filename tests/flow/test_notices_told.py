"""What a mail says of a refund's own rows: what was proven, what was voided, what was withdrawn."""

from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from sqlalchemy import insert

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome
from refunds.domain.status import Kind, Status
from refunds.flow.notify import deliver_due
from refunds.flow.operate import retry_now
from refunds.flow.unpaid import tell_long_unpaid
from refunds.ports import Delivery, Mail
from refunds.store import tables
from refunds.store.refunds import Refund
from tests.flow.spoken import SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House

DECLINE: dict[str, Any] = {"do": "decline", "code": "issuer_declined"}
LOST: dict[str, Any] = {"do": "reset_before"}
FOUND_LATE: dict[str, Any] = {"do": "late_commit", "seconds": 3600}


class Letterbox:
    """A channel that keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    def deliver(self, mail: Mail) -> Delivery:
        message = message_from_bytes(mail.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.mails.append(message)
        return Delivery(delivered=True, final=True, response="kept")

    def check(self) -> str | None:
        return None

    def told(self) -> str:
        """The words of the latest mail."""
        body = self.mails[-1].get_body(("plain",))
        assert body is not None
        return " ".join(body.get_content().split())


@pytest.fixture
def box() -> Letterbox:
    return Letterbox()


@pytest.fixture
def told_house(open_house: HouseMaker, database_url: str, box: Letterbox) -> House:
    """A house that tries on two days, once on each database."""
    return open_house(database_url, retry_days=1, channel=box)


@pytest.fixture
def brief_house(open_house: HouseMaker, sqlite_url: str, box: Letterbox) -> House:
    """A house that tries once."""
    return open_house(sqlite_url, retry_days=0, channel=box)


def tell_failure(house: House, refund_id: str) -> None:
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
    assert deliver_due(house.parts) == 1


def test_a_refund_that_waited_without_a_single_try_is_told_of_too(told_house: House, box: Letterbox) -> None:
    refund_id = told_house.refund(told_house.payment(), "5.00")
    told_house.pass_time(timedelta(days=4))
    assert tell_long_unpaid(told_house.parts) == 1

    deliver_due(told_house.parts)

    assert [mail["X-Moneyback-Refund"] for mail in box.mails] == [refund_id]
    assert box.mails[0]["X-Moneyback-Event"] == "still_unpaid"


def test_a_lost_try_that_look_ups_proved_absent_is_told_as_proven(told_house: House, box: Letterbox) -> None:
    payment = told_house.payment("20.00", LOST, {**DECLINE, "times": None})

    tell_failure(told_house, told_house.refund(payment, "5.00"))

    assert "looked up: absent" in box.told()
    assert "Each counted try was refused, or proven by look-ups to have had no effect." in box.told()
    assert "do not prove it" not in box.told()


def test_a_last_try_that_was_lost_is_told_with_what_the_gateway_said_of_it(
    told_house: House, box: Letterbox
) -> None:
    payment = told_house.payment("20.00", {**DECLINE, "times": 1}, LOST)

    tell_failure(told_house, told_house.refund(payment, "5.00"))

    assert "declined issuer_declined" in box.told()
    assert box.told().count("looked up: absent") == 1
    assert "Asked sandbox at" in box.told()
    assert ": no refund of ours exists. It is safe to pay another way." in box.told()


def test_a_late_answer_is_told_and_forbids_to_call_it_safe(brief_house: House, box: Letterbox) -> None:
    house = brief_house
    refund_id = house.refund(house.payment("20.00", LOST), "5.00")
    said = {"attempt": 1, "outcome": "refunded", "code": "", "reference": "sre_late"}
    row = {"refund_id": refund_id, "at": house.now, "source": "late_answer", "content": said}
    with house.parts.database.begin() as tx:
        tx.execute(insert(tables.evidence), [row])

    tell_failure(house, refund_id)

    assert "Also observed: answers that changed nothing here: try 1 refunded (sre_late)." in box.told()
    assert "Look at sandbox's own pages before anything else." in box.told()
    assert "safe to pay" not in box.told()


def test_a_void_is_told_with_what_was_authorised(told_house: House, box: Letterbox) -> None:
    house = told_house
    steps = {**DECLINE, "times": None}
    payment = house.payment("0", steps, status="authorized", authorized_amount="50.00")

    tell_failure(house, house.refund(payment, kind=Kind.VOID))

    assert "GBP 50.00 to be released (of GBP 50.00 authorised)" in box.told()


@pytest.mark.parametrize(
    ("steps", "certainty"),
    [
        ([{**DECLINE, "times": 1}], "SURE? The gateway paid it: reference sre_"),
        ([{**DECLINE, "times": 1}, {"do": "reset_after"}], ": it is paid: reference sre_"),
        ([FOUND_LATE], ": it is paid: reference sre_"),
    ],
    ids=["paid", "paid and lost", "found before the try"],
)
def test_an_alarm_is_withdrawn_in_its_own_thread_by_what_proves_the_payment(
    brief_house: House, box: Letterbox, steps: list[dict[str, Any]], certainty: str
) -> None:
    house = brief_house
    refund_id = house.refund(house.payment("20.00", *steps), "5.00")
    tell_failure(house, refund_id)
    if steps == [FOUND_LATE]:
        house.pass_time(timedelta(seconds=FOUND_LATE["seconds"]))
    [alarm] = box.mails

    assert isinstance(retry_now(house.parts, refund_id, actor="op", reason="test"), Refund)
    with house.working():
        house.until(refund_id, Status.REFUNDED, hurry=True)
    assert deliver_due(house.parts) == 1

    withdrawn = box.mails[-1]
    assert withdrawn["X-Moneyback-Event"] == "resolved"
    assert withdrawn["In-Reply-To"] == withdrawn["References"] == alarm["Message-ID"]
    assert certainty in box.told()
    assert ("Asked sandbox at" in box.told()) is (": it is" in certainty)
    assert "GBP 5.00 no longer owed" in box.told()
    assert "Pay nothing more." in box.told()
    assert house.paid_minor(refund_id) == 500


def test_a_void_that_came_through_after_its_alarm_is_told_as_voided(
    brief_house: House, box: Letterbox
) -> None:
    house = brief_house
    steps = {**DECLINE, "times": 1}
    payment = house.payment("0", steps, status="authorized", authorized_amount="50.00")
    refund_id = house.refund(payment, kind=Kind.VOID)
    tell_failure(house, refund_id)

    retry_now(house.parts, refund_id, actor="op", reason="test")
    with house.working():
        house.until(refund_id, Status.VOIDED, hurry=True)
    deliver_due(house.parts)

    assert "The gateway voided it: reference" in box.told()
    assert "GBP 50.00 released (of GBP 50.00 authorised)" in box.told()


def test_an_outcome_that_look_ups_cannot_settle_is_told_with_their_last_word(
    open_house: HouseMaker, sqlite_url: str, box: Letterbox
) -> None:
    spoken = SpokenGateway([Answer(Outcome.UNKNOWN, "read_timeout")], [LookUpAnswer(Finding.UNCLEAR)])
    house = open_house(sqlite_url, gateway=spoken, channel=box)
    refund_id = house.refund(house.payment(), "5.00")

    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW, hurry=True)
    assert deliver_due(house.parts) == 1

    assert "SURE? NO. Asked sandbox at" in box.told()
    assert ": no final word (unclear)." in box.told()
