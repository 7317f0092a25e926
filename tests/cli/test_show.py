"""`refund show`: everything, as a page, as JSON, as a story."""

import pytest

from refunds.domain.status import Kind
from refunds.flow.intake import Accepted, Asked, take_in
from refunds.flow.payments import register
from tests.cli.lived import Lived
from tests.cli.stage import Stage


def test_a_refund_that_failed_shows_every_try_and_every_mail(lived: Lived) -> None:
    shown = lived.stage.run("refund", "show", lived.refused)
    assert shown.exit_code == 0
    assert "status\tfailed\n" in shown.stdout
    assert "amount\tGBP 12.75\n" in shown.stdout
    assert "captured\tGBP 255.00\n" in shown.stdout
    for number in (1, 2, 3, 4):
        assert f"attempt {number} (counted {number} of 4)\tdeclined, card_closed" in shown.stdout
    assert "mail (failed)\tto oncall@localhost" in shown.stdout
    assert "delivered, written to" in shown.stdout
    assert "no daily try will follow" in shown.stderr


def test_the_timeline_is_in_order(lived: Lived) -> None:
    lines = lived.stage.run("refund", "show", lived.refused).stdout.partition("at\twhat\tdetail\n")[2]
    times = [line.split("\t")[0] for line in lines.splitlines()]
    assert len(times) > 9
    assert times == sorted(times)


def test_the_document_of_a_refund_holds_all_its_rows(lived: Lived) -> None:
    document = lived.stage.json("refund", "show", lived.lost)
    assert document["status"] == "refunded"
    assert document["request"]["amount"] == "12.75"
    assert document["attempts_allowed"] == 4
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["unknown"]
    assert document["look_ups"][-1]["finding"] == "refunded"
    assert document["history"][0] == {
        "at": document["created_at"],
        "actor": document["requested_by"],
        "old": None,
        "new": "requested",
        "why": "taken in by the command line",
    }
    assert document["history"][-1]["new"] == "refunded"
    assert document["notices"] == document["evidence"] == []


def test_the_notices_tell_what_the_mail_server_answered(lived: Lived) -> None:
    notices = lived.stage.json("refund", "show", lived.refused)["notices"]
    assert {notice["kind"] for notice in notices} == {"refused_early", "failed"}
    assert all(notice["response"].startswith("written to") and notice["message_id"] for notice in notices)


def test_a_story_tells_a_failure_in_sentences(lived: Lived) -> None:
    told = lived.stage.run("refund", "show", lived.refused, "--story")
    sentences = told.stdout.splitlines()
    assert sentences[0] == (
        f"The refund {lived.refused} of GBP 12.75 (of GBP 255.00 captured) is for order order-refused,"
        " payment pay_refused at sandbox."
    )
    assert "the reason given: refused parcel" in sentences[1]
    assert sum("sandbox refused it, card_closed" in sentence for sentence in sentences) == 4
    assert any("a mail (failed) to oncall@localhost was delivered" in sentence for sentence in sentences)
    assert sentences[-1].endswith("Of 4 counted tries 4 are used.")


def test_a_story_of_a_void_tells_what_was_authorised(fresh: Stage) -> None:
    payment = {
        "order_id": "order-void",
        "transaction_id": "pay_void",
        "status": "authorized",
        "captured_amount": "0",
        "authorized_amount": "50.00",
        "currency": "GBP",
    }
    assert fresh.run("db", "upgrade").exit_code == 0
    with fresh.opened() as house:
        register(house.parts, [payment])
        asked = Asked("void", {"transaction_id": "pay_void"}, Kind.VOID)
        [taken] = take_in(house.parts, [asked], caller="shop", source="api")
    assert isinstance(taken, Accepted)

    told = fresh.run("refund", "show", taken.refund.id, "--story").stdout

    assert told.startswith(f"The void {taken.refund.id} of GBP 50.00 (of GBP 50.00 authorised) is for order")


def test_a_story_tells_what_a_look_up_found(lived: Lived) -> None:
    told = lived.stage.run("refund", "show", lived.lost, "--story").stdout
    assert "what became of it is not known" in told
    assert "sandbox was asked what became of it: it is paid there" in told
    assert told.splitlines()[-1].endswith("The gateway has refunded it.")


def test_a_queued_refund_tells_its_next_try_and_claims_no_payment(lived: Lived) -> None:
    shown = lived.stage.run("refund", "show", lived.queued)
    assert "09:00:00Z (in " in shown.stdout
    assert 'request\t{"amount": "12.75"' in shown.stdout
    assert "It is not paid: it is queued here and waits for its next daily try" in shown.stderr


@pytest.mark.parametrize("option", [[], ["--json"], ["--story"]])
def test_a_refund_that_is_not_there_is_not_found(lived: Lived, option: list[str]) -> None:
    shown = lived.stage.run("refund", "show", "rf_unknown", *option)
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert shown.stderr == "refund_unknown: there is no refund 'rf_unknown'\n"
