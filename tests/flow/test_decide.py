"""What a person decides where nobody else can tell: each end moves its sums, and says whose word it was."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from refunds.domain.outcome import Answer, Finding, LookUpAnswer, Outcome, Reason
from refunds.domain.status import Kind, Status, Wait
from refunds.flow.decide import ENDS, PROVED, resolve_as, start_over
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.sweep import MOST_LOST
from refunds.store.refunds import Refund
from tests.flow.elsewhere import pay_elsewhere
from tests.flow.spoken import SpokenGateway
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually

DECLINE = {"do": "decline", "code": "issuer_declined"}
DISPUTED = {"do": "decline", "code": "disputed"}
NEITHER = {"keys": False, "look_up": False}
NO_LOOK_UP = {"look_up": False}


def resolve(house: House, refund_id: str, new: Status, reference: str | None = None) -> Refund | Refusal:
    return resolve_as(
        house.parts, refund_id, new=new, actor="op@desk", reason="seen there", reference=reference
    )


def restart(house: House, refund_id: str) -> Refund | Refusal:
    return start_over(house.parts, refund_id, actor="op@desk", reason="new card")


def cause(refused: Refund | Refusal) -> Cause:
    assert isinstance(refused, Refusal), refused
    return refused.cause


def under_review(house: House, kind: Kind = Kind.REFUND) -> tuple[str, str]:
    """(payment, refund) whose outcome nobody can tell, at a gateway that cannot be asked."""
    lost = {"do": "reset_before"}
    if kind is Kind.VOID:
        payment = house.payment("0", lost, options=NEITHER, status="authorized", authorized_amount="20.00")
        refund_id = house.refund(payment, kind=kind)
    else:
        payment = house.payment("20.00", lost, options=NEITHER)
        refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)
    assert house.slot(payment) == refund_id
    return payment, refund_id


def sums(house: House, payment: str) -> tuple[int, int, int]:
    """Reserved, refunded and external of a payment."""
    balance = house.balance(payment)
    return balance.reserved_minor, balance.refunded_minor, balance.external_minor


@pytest.mark.parametrize(
    ("new", "reference", "moved"),
    [
        (Status.REFUNDED, "sre_9", (0, 500, 0)),
        (Status.FAILED, None, (0, 0, 0)),
        (Status.CANCELLED, None, (0, 0, 0)),
        (Status.REFUNDED_EXTERNALLY, "transfer 7", (0, 0, 500)),
    ],
)
def test_each_end_moves_its_sums_frees_the_payment_and_is_signed(
    open_house: HouseMaker,
    database_url: str,
    new: Status,
    reference: str | None,
    moved: tuple[int, int, int],
) -> None:
    house = open_house(database_url, grade="D")
    payment, refund_id = under_review(house)
    assert sums(house, payment) == (500, 0, 0)
    told = house.notices(refund_id)

    done = resolve(house, refund_id, new, reference)

    assert isinstance(done, Refund), done
    assert (done.status, done.due_at, done.gateway_reference) == (new, None, reference)
    assert (sums(house, payment), house.slot(payment)) == (moved, None)
    last = house.history(refund_id)[-1]
    proof = f" ({reference})" if reference else ""
    assert (last["actor"], last["old"], last["new"], last["why"]) == (
        *("op@desk", "needs_review", new),
        f"resolved as {new}{proof}: seen there",
    )
    assert house.notices(refund_id) == told, "whoever decides knows it"
    assert house.broken_sums() == []
    other = house.refund(payment, "15.00")
    with house.working():
        house.until(other, Status.REFUNDED)
    assert (house.get(refund_id).status, house.paid_minor(refund_id)) == (new, 0)


def test_what_is_to_be_sent_again_goes_under_a_key_the_gateway_has_not_seen(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url, grade="C")
    payment = house.payment("20.00", {"do": "reset_before", "times": None}, options=NO_LOOK_UP)
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW, hurry=True)
    before = house.sent(refund_id)
    house.bank.script(payment, {"do": "ok"})

    done = resolve(house, refund_id, Status.QUEUED)

    assert isinstance(done, Refund), done
    assert (done.generation, done.wait, done.episode, done.attempts_counted) == (2, Wait.DAILY, 1, 0)
    with house.working():
        house.until(refund_id, Status.REFUNDED)

    assert {seen.key for seen in before} == {f"{refund_id}-1"}
    assert [seen.key for seen in house.sent(refund_id)[len(before) :]] == [f"{refund_id}-2"]
    assert house.paid_minor(refund_id) == 500
    assert (sums(house, payment), house.doubled(), house.broken_sums()) == ((0, 500, 0), [], [])
    assert house.history(refund_id)[-3]["why"] == "resolved as queued: seen there"


def test_what_is_to_be_sent_again_is_looked_up_first_and_not_paid_twice(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", DISPUTED), "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)
    pay_elsewhere(house, refund_id, key="by hand")

    assert isinstance(resolve(house, refund_id, Status.QUEUED), Refund)
    with house.working():
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert (house.paid_minor(refund_id), house.doubled()) == (500, [])


def test_what_was_tried_today_and_is_to_be_sent_again_waits_for_its_day(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", DISPUTED), "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)

        done = resolve(house, refund_id, Status.QUEUED)

        assert isinstance(done, Refund), done
        assert done.due_at is not None
        assert done.due_at.date() == house.now.date() + timedelta(days=1)
        assert (done.episode, done.attempts_counted) == (1, 1)
        house.until(refund_id, Status.REFUNDED, hurry=True)


def test_where_no_place_is_left_it_is_sent_again_in_a_new_episode(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url, retry_days=0)
    payment = house.payment("20.00", DISPUTED, DECLINE)
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)

        done = resolve(house, refund_id, Status.QUEUED)

        assert isinstance(done, Refund), done
        assert (done.episode, done.attempts_counted, done.last_counted_at) == (2, 0, None)
        house.until(refund_id, Status.FAILED, hurry=True)

    assert [(row["episode"], row["counted_number"]) for row in house.attempts(refund_id)] == [(1, 1), (2, 1)]
    assert (sums(house, payment), house.broken_sums()) == ((0, 0, 0), [])


@pytest.mark.parametrize(
    ("new", "reference"),
    [(Status.VOIDED, "sre_9"), (Status.FAILED, None), (Status.CANCELLED, None), (Status.QUEUED, None)],
)
def test_a_void_moves_no_sum_and_takes_the_payment_only_where_it_is_voided(
    open_house: HouseMaker, database_url: str, new: Status, reference: str | None
) -> None:
    house = open_house(database_url, grade="D")
    payment, void_id = under_review(house, Kind.VOID)

    done = resolve(house, void_id, new, reference)

    assert isinstance(done, Refund), done
    assert (done.status, sums(house, payment), house.slot(payment)) == (new, (0, 0, 0), None)
    if new in {Status.VOIDED, Status.QUEUED}:
        assert cause(house.ask(payment, kind=Kind.VOID)) is Cause.NOT_VOIDABLE  # type: ignore[arg-type]
    if new is Status.QUEUED:
        with house.working():
            house.until(void_id, Status.VOIDED)
    if new is Status.FAILED:
        assert isinstance(restart(house, void_id), Refund)
    assert house.broken_sums() == []


@pytest.mark.parametrize(
    ("kind", "new"),
    [
        (Kind.REFUND, Status.VOIDED),
        (Kind.VOID, Status.REFUNDED),
        (Kind.VOID, Status.REFUNDED_EXTERNALLY),
    ],
)
def test_a_refund_cannot_end_as_a_void_nor_a_void_as_a_refund(
    open_house: HouseMaker, sqlite_url: str, kind: Kind, new: Status
) -> None:
    house = open_house(sqlite_url, grade="D")
    _, refund_id = under_review(house, kind)

    assert cause(resolve(house, refund_id, new, "sre_9")) is Cause.INVALID
    assert house.get(refund_id).status is Status.NEEDS_REVIEW


def test_what_was_paid_needs_a_reference_and_what_was_not_takes_none(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    house = open_house(sqlite_url, grade="D")
    payment, refund_id = under_review(house)

    for new in ENDS:
        refused = resolve(house, refund_id, new, None if new in PROVED else "sre_9")
        assert isinstance(refused, Refusal)
        assert (refused.cause, refused.errors[0].pointer) == (Cause.INVALID, "/reference")
    for new in set(Status) - set(ENDS):
        assert cause(resolve(house, refund_id, new)) is Cause.INVALID
    assert (house.get(refund_id).status, sums(house, payment)) == (Status.NEEDS_REVIEW, (500, 0, 0))
    assert house.story(refund_id)[-1] == "needs_review"


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.NEEDS_REVIEW}))
def test_only_what_needs_review_is_resolved(house: House, status: Status) -> None:
    payment = house.payment()
    refund_id = house.refund(payment, "5.00")
    _put(house, status)

    assert cause(resolve(house, refund_id, Status.REFUNDED, "sre_9")) is Cause.WRONG_STATUS
    assert (house.get(refund_id).status, sums(house, payment)) == (status, (500, 0, 0))


def test_a_refund_nobody_knows_is_said_to_be_unknown(house: House) -> None:
    assert cause(resolve(house, "rf_nobody", Status.FAILED)) is Cause.REFUND_UNKNOWN


def test_a_look_up_that_is_under_way_while_a_person_decides_books_nothing(
    open_house: HouseMaker, database_url: str
) -> None:
    disputed = Answer(Outcome.DECLINED, "disputed", reason=Reason.DISPUTED)
    spoken = SpokenGateway([disputed], [LookUpAnswer(Finding.REFUNDED, reference="sre_late")])
    house = open_house(database_url, gateway=spoken)
    payment = house.payment("20.00")
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)

    def decide() -> None:
        spoken.during = lambda: None
        assert isinstance(resolve(house, refund_id, Status.CANCELLED), Refund)

    spoken.during = decide
    house.pass_time(timedelta(days=1))
    with house.working():
        eventually(lambda: house.evidence(refund_id) != [])
        # That late answer has it looked up anew, and this time the answer counts.
        house.until(refund_id, Status.REFUNDED)

    assert house.story(refund_id)[-3:] == ["needs_review", "cancelled", "refunded"]
    assert "paid_anyway" in [kind for kind, _ in house.notices(refund_id)]
    assert (sums(house, payment), house.broken_sums()) == ((0, 500, 0), [])


def test_a_refund_that_was_stopped_for_lost_leases_has_all_of_them_anew(house: House) -> None:
    refund_id = house.refund(house.payment(), "5.00")
    with house.parts.database.begin() as tx:
        tx.execute(
            text("UPDATE refunds SET status = 'needs_review', due_at = NULL, lost_leases = :lost"),
            {"lost": MOST_LOST},
        )

    assert isinstance(resolve(house, refund_id, Status.QUEUED), Refund)

    with house.parts.database.read() as tx:
        assert tx.execute(text("SELECT lost_leases FROM refunds")).scalar_one() == 0


def _put(house: House, status: Status) -> None:
    with house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = :status"), {"status": status})
