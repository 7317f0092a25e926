"""`refund resolve|restart`: each end, what is needed for it, what is refused, and with which exit code."""

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import text

from refunds.domain.balance import Balance
from refunds.store import payments
from tests.cli.lived import Lived
from tests.cli.stage import Stage, stage
from tests.command import COMMAND

WHY = ("--reason", "seen on  their pages")
ENDS = [
    ("refunded", ["--reference", "sre_9"], (0, 1275, 0)),
    ("refunded_externally", ["--reference", "transfer 7"], (0, 0, 1275)),
    ("failed", [], (0, 0, 0)),
    ("cancelled", [], (0, 0, 0)),
    ("queued", ["--yes"], (1275, 0, 0)),
]


def under_review(here: Stage) -> str:
    """A new refund as one that nobody can tell about."""
    refund_id = here.create("one")
    _put(here, "needs_review")
    return refund_id


def _put(here: Stage, status: str) -> None:
    with here.opened() as house, house.parts.database.begin() as tx:
        tx.execute(text("UPDATE refunds SET status = :status, due_at = NULL"), {"status": status})
        reserved = "UPDATE payments SET reserved_minor = CASE WHEN :status = 'failed' THEN 0 ELSE 1275 END"
        tx.execute(text(reserved), {"status": status})


def _balance(here: Stage) -> Balance:
    with here.opened() as house, house.parts.database.read() as tx:
        [payment] = payments.find(tx, account="default", order_ids=["order-one"], transaction_ids=[])
    return payment.balance


@pytest.mark.parametrize(("end", "options", "moved"), ENDS)
def test_each_end_is_kept_with_who_and_why(
    fresh: Stage, end: str, options: list[str], moved: tuple[int, int, int]
) -> None:
    refund_id = under_review(fresh)
    done = fresh.run("refund", "resolve", refund_id, "--as", end, *WHY, *options)
    assert done.exit_code == 0, done.stderr
    assert f"status\t{end}\n" in done.stdout
    assert done.stderr == f"resolved: it is {end}\nnext: moneyback refund show {refund_id}\n"
    shown = fresh.json("refund", "show", refund_id)
    assert shown["status"] == end
    last = shown["history"][-1]
    proof = f" ({options[1]})" if options[1:] else ""
    assert (last["old"], last["why"]) == ("needs_review", f"resolved as {end}{proof}: seen on their pages")
    assert last["actor"].startswith("cli:")
    balance = _balance(fresh)
    assert (balance.reserved_minor, balance.refunded_minor, balance.external_minor) == moved


def test_a_resolution_can_be_read_as_json(fresh: Stage) -> None:
    refund_id = under_review(fresh)
    document = fresh.json("refund", "resolve", refund_id, "--as", "cancelled", *WHY)
    assert (document["id"], document["status"]) == (refund_id, "cancelled")


@pytest.mark.parametrize(
    "options",
    [
        ["--as", "refunded"],
        ["--as", "refunded_externally"],
        ["--as", "refunded", "--reference", " "],
        ["--as", "refunded", "--reference", "x" * 201],
        ["--as", "failed", "--reference", "sre_9"],
        ["--as", "queued", "--yes", "--reference", "sre_9"],
        ["--as", "voided", "--reference", "sre_9"],
        ["--as", "attempting"],
        ["--as", "nonsense"],
        [],
        ["--as", "cancelled", "--reason", " "],
        ["--as", "cancelled", "--reason", "x" * 201],
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_invalid_and_changes_nothing(fresh: Stage, options: list[str]) -> None:
    refund_id = under_review(fresh)
    done = fresh.run("refund", "resolve", refund_id, *WHY, *options)
    assert (done.exit_code, done.stdout) == (2, "")
    shown = fresh.json("refund", "show", refund_id)
    assert (shown["status"], len(shown["history"])) == ("needs_review", 1)


@pytest.mark.parametrize("act", [["resolve", "--as", "failed"], ["restart"]])
def test_an_act_needs_a_reason(fresh: Stage, act: list[str]) -> None:
    refund_id = under_review(fresh)
    assert fresh.run("refund", act[0], refund_id, *act[1:]).exit_code == 2
    assert fresh.json("refund", "show", refund_id)["status"] == "needs_review"


@pytest.mark.parametrize("act", [["resolve", "--as", "failed"], ["restart"]])
def test_an_act_on_a_refund_that_is_not_there_is_not_found(fresh: Stage, act: list[str]) -> None:
    done = fresh.run("refund", act[0], "rf_unknown", *act[1:], *WHY)
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith("refund_unknown: ")


@pytest.mark.parametrize(
    ("act", "said"), [(["resolve", "--as", "failed"], "resolved"), (["restart"], "started over")]
)
def test_an_act_that_the_status_forbids_is_refused(lived: Lived, act: list[str], said: str) -> None:
    done = lived.stage.run("refund", act[0], lived.paid, *act[1:], *WHY)
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith(f"wrong_status: a refund that is refunded cannot be {said}")


@pytest.mark.parametrize("options", [[], ["--no-input"]])
def test_sending_again_never_waits_where_nobody_can_type(fresh: Stage, options: list[str]) -> None:
    refund_id = under_review(fresh)
    done = fresh.run("refund", "resolve", refund_id, "--as", "queued", *WHY, *options, stdin="12.75\n")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--yes" in done.stderr
    assert fresh.json("refund", "show", refund_id)["status"] == "needs_review"


@pytest.mark.parametrize(("typed", "exit_code"), [("GBP 12.75", 0), ("12.57", 2)])
def test_sending_again_at_a_terminal_asks_for_the_amount(fresh: Stage, typed: str, exit_code: int) -> None:
    refund_id = under_review(fresh)
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{typed}\n".encode())
        done = subprocess.run(
            [*COMMAND, "refund", "resolve", refund_id, "--as", "queued", *WHY],
            stdin=theirs,
            capture_output=True,
            text=True,
            env={**os.environ, **fresh.env},
            timeout=30,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert "To send again GBP 12.75 of order 'order-one', type the amount: " in done.stderr
    assert done.returncode == exit_code
    status = "queued" if exit_code == 0 else "needs_review"
    assert fresh.json("refund", "show", refund_id)["status"] == status


def test_the_longest_reason_and_reference_fit_the_history(tmp_path: Path, postgres_database: str) -> None:
    here = stage(tmp_path, DATABASE_URL=postgres_database)
    assert here.run("db", "upgrade").exit_code == 0
    refund_id = under_review(here)
    why, reference = "w" * 200, "r" * 200
    options = ["--reason", why, "--reference", reference]
    document = here.json("refund", "resolve", refund_id, "--as", "refunded_externally", *options)
    assert document["status"] == "refunded_externally"
    last = here.json("refund", "show", refund_id)["history"][-1]
    assert last["why"] == f"resolved as refunded_externally ({reference}): {why}"


def test_a_failed_refund_is_started_over(fresh: Stage) -> None:
    refund_id = fresh.create("one")
    _put(fresh, "failed")
    done = fresh.run("refund", "restart", refund_id, *WHY, "--json")
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "queued")
    assert "started over: it is tried at once" in done.stderr
    assert done.stderr.endswith(f"next: moneyback refund show {refund_id}\n")
    last = fresh.json("refund", "show", refund_id)["history"][-1]
    assert (last["old"], last["why"]) == ("failed", "started over: seen on their pages")
    assert _balance(fresh).reserved_minor == 1275


def test_a_failed_refund_whose_money_went_elsewhere_is_not_started_over(fresh: Stage) -> None:
    refund_id = fresh.create("one", captured="20.00")
    _put(fresh, "failed")
    other = ["--order", "order-one", "--transaction", "pay_one", "--amount", "10.00", "--currency", "GBP"]
    assert fresh.run("refund", "create", *other).exit_code == 0
    done = fresh.run("refund", "restart", refund_id, *WHY)
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith("exceeds_remaining: ")
    assert fresh.json("refund", "show", refund_id)["status"] == "failed"
