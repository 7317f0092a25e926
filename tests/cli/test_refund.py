"""`refund create|list|retry|cancel`: what is kept, what is refused, and with which exit code."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

from refunds.store import payments
from tests.cli.lived import Lived
from tests.cli.stage import Stage
from tests.command import COMMAND

PAYMENT = {
    "order_id": "1001",
    "transaction_id": "pay_1001",
    "captured_amount": "100.00",
    "currency": "GBP",
}


def _file(folder: Path, document: Any) -> str:
    path = folder / "request.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(path)


@pytest.fixture
def known(fresh: Stage) -> Stage:
    """A stage that knows one payment of 255.00 GBP, 12.75 of it reserved."""
    fresh.create("known")
    return fresh


def test_a_refund_is_kept_before_anything_else_was_ever_started(fresh: Stage, tmp_path: Path) -> None:
    document = {"amount": "12.75", "currency": "GBP", "reason": "broken", "payment": PAYMENT}
    done = fresh.run("refund", "create", "--file", _file(tmp_path, document), "--key", "k1")
    assert done.exit_code == 0
    shown = dict(line.split("\t") for line in done.stdout.splitlines())
    assert shown["status"] == "requested"
    assert (shown["amount"], shown["reason"]) == ("GBP 12.75", "broken")
    assert "nothing was sent to the gateway yet" in done.stderr
    assert f"next: moneyback refund show {shown['id']}" in done.stderr


def test_options_make_the_same_request_as_a_document(known: Stage) -> None:
    options = ["--order", "order-known", "--amount", "1.50", "--currency", "GBP", "--reason", "late"]
    made = known.json(
        "refund", "create", *options, "--transaction", "pay_known", "--notify", "a@shop.example"
    )
    assert (made["amount"], made["amount_minor"], made["reason"]) == ("1.50", 150, "late")
    again = known.json("refund", "show", made["id"])
    assert again["request"]["notify"] == ["a@shop.example"]
    assert again["requested_by"].startswith("cli:")


def test_no_amount_is_everything_refundable(known: Stage) -> None:
    assert known.json("refund", "create", "--order", "order-known")["amount"] == "242.25"


def test_a_key_stands_for_one_refund(known: Stage) -> None:
    options = ["--order", "order-known", "--amount", "1.00", "--currency", "GBP", "--key", "once"]
    first = known.json("refund", "create", *options)
    again = known.run("refund", "create", *options, "--json")
    assert (again.exit_code, json.loads(again.stdout)["id"]) == (0, first["id"])
    assert "nothing was added" in again.stderr
    other = known.run("refund", "create", "--order", "order-known", "--amount", "2.00", "--key", "once")
    assert (other.exit_code, other.stdout) == (2, "")
    assert other.stderr.startswith("idempotency_key_reused: ")


def test_a_fresh_key_is_told_before_anything_is_kept(known: Stage) -> None:
    done = known.run("refund", "create", "--order", "order-known", "--amount", "1.00")
    assert done.stderr.startswith("idempotency key: cli-")
    key = done.stderr.splitlines()[0].removeprefix("idempotency key: ")
    again = known.run("refund", "create", "--order", "order-known", "--amount", "1.00", "--key", key)
    assert (again.exit_code, again.stdout) == (0, done.stdout)


@pytest.mark.parametrize(
    ("options", "exit_code", "cause"),
    [
        (["--amount", "1.00"], 2, "invalid_request"),
        (["--order", "order-known", "--amount", "-1"], 2, "invalid_request"),
        (["--order", "order-known", "--amount", "1.001", "--currency", "GBP"], 2, "invalid_request"),
        (["--order", "order-known", "--key", "not printable \n"], 2, "invalid_request"),
        (["--order", "order-known", "--account", "nobody"], 2, "account_unknown"),
        (["--order", "order-known", "--amount", "1.00", "--currency", "USD"], 2, "currency_mismatch"),
        (["--order", "elsewhere"], 3, "payment_unknown"),
        (["--order", "order-known", "--amount", "242.26"], 4, "exceeds_remaining"),
        (["--order", "order-known", "--amount", "999.00"], 4, "exceeds_captured"),
    ],
)
def test_a_refusal_names_its_cause_and_has_its_exit_code(
    known: Stage, options: list[str], exit_code: int, cause: str
) -> None:
    done = known.run("refund", "create", *options)
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert f"{cause}: " in done.stderr
    assert len(known.json("refund", "list")["items"]) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "is not a JSON document"),
        ("[" * 100_000, "is not a JSON document"),
        ("[]", "must be a JSON object"),
        ('{"order_id": "order-known", "amount": 1.5}', "/amount"),
        ('{"order_id": "order-known", "amuont": "1.50"}', "/amuont: this field is not known"),
        (" " * 1_048_577, "is longer than"),
    ],
)
def test_a_document_that_cannot_be_taken_is_invalid_input(
    known: Stage, tmp_path: Path, content: str, complaint: str
) -> None:
    done = known.run("refund", "create", "--file", _file(tmp_path, content))
    assert (done.exit_code, done.stdout) == (2, "")
    assert complaint in done.stderr


def test_a_file_that_is_not_there_is_invalid_input(fresh: Stage) -> None:
    assert fresh.run("refund", "create", "--file", "nowhere.json").exit_code == 2


def test_a_document_and_options_exclude_each_other(fresh: Stage, tmp_path: Path) -> None:
    done = fresh.run("refund", "create", "--file", _file(tmp_path, {}), "--amount", "1.00")
    assert (done.exit_code, done.stdout) == (2, "")


def test_a_list_is_filtered_and_paged(lived: Lived) -> None:
    everything = lived.stage.json("refund", "list")
    assert {item["id"] for item in everything["items"]} == {
        lived.paid,
        lived.refused,
        lived.lost,
        lived.queued,
    }
    assert everything["next"] is None
    failed = lived.stage.json("refund", "list", "--status", "failed")["items"]
    assert [item["id"] for item in failed] == [lived.refused]
    filters = ["--order", "order-paid", "--transaction", "pay_paid", "--gateway", "sandbox"]
    filters += ["--account", "default", "--currency", "GBP", "--status", "refunded"]
    assert [item["id"] for item in lived.stage.json("refund", "list", *filters)["items"]] == [lived.paid]
    page = lived.stage.json("refund", "list", "--limit", "3")
    rest = lived.stage.json("refund", "list", "--limit", "3", "--after", page["next"])
    assert page["items"] + rest["items"] == everything["items"]


def test_a_list_off_a_terminal_is_lines_with_tabs(lived: Lived) -> None:
    done = lived.stage.run("refund", "list", "--limit", "1")
    names, line = (row.split("\t") for row in done.stdout.splitlines())
    row = dict(zip(names, line, strict=True))
    assert (row["id"], row["status"], row["tries"]) == (lived.queued, "queued", "1")
    assert row["next try"].endswith("09:00:00Z")
    assert done.stderr == f"there are more: --after {lived.queued}\n"


@pytest.mark.parametrize("options", [["--status", "lost"], ["--limit", "0"], ["--limit", "1001"]])
def test_a_filter_that_cannot_be_is_a_usage_error(fresh: Stage, options: list[str]) -> None:
    assert fresh.run("refund", "list", *options).exit_code == 2


def test_a_reason_cannot_steer_a_terminal_or_break_a_line(known: Stage) -> None:
    reason = "\x1b[2J red\nid\tx"
    [made] = [
        known.json("refund", "create", "--order", "order-known", "--amount", "1.00", "--reason", reason)
    ]
    assert made["reason"] == reason
    shown = known.run("refund", "show", made["id"]).stdout
    assert "reason\t\\x1b[2J red\\nid\\tx\n" in shown


def test_a_refund_that_waits_is_cancelled_and_its_amount_is_free_again(known: Stage) -> None:
    refund_id = known.json("refund", "list")["items"][0]["id"]
    done = known.run("refund", "cancel", refund_id, "--reason", "customer  kept it", "--yes", "--json")
    assert (done.exit_code, json.loads(done.stdout)["status"]) == (0, "cancelled")
    assert "GBP 12.75 of the payment can be refunded again" in done.stderr
    assert f"next: moneyback refund show {refund_id}" in done.stderr
    last = known.json("refund", "show", refund_id)["history"][-1]
    assert (last["new"], last["why"]) == ("cancelled", "cancelled: customer kept it")
    assert last["actor"].startswith("cli:")
    with known.opened() as house, house.parts.database.read() as tx:
        [payment] = payments.find(tx, account="default", order_ids=["order-known"], transaction_ids=[])
    assert payment.balance.reserved_minor == 0


@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_an_act_on_a_refund_that_is_not_there_is_not_found(fresh: Stage, act: str) -> None:
    yes = ["--yes"] if act == "cancel" else []
    done = fresh.run("refund", act, "rf_unknown", "--reason", "because", *yes)
    assert (done.exit_code, done.stdout) == (3, "")


@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_an_act_that_the_status_forbids_is_refused(lived: Lived, act: str) -> None:
    yes = ["--yes"] if act == "cancel" else []
    done = lived.stage.run("refund", act, lived.paid, "--reason", "because", *yes)
    assert (done.exit_code, done.stdout) == (4, "")
    assert done.stderr.startswith("wrong_status: a refund that is refunded cannot be ")


@pytest.mark.parametrize("reason", [[], ["--reason", "  "], ["--reason", "x" * 401]])
@pytest.mark.parametrize("act", ["cancel", "retry"])
def test_an_act_needs_a_reason(known: Stage, act: str, reason: list[str]) -> None:
    refund_id = known.json("refund", "list")["items"][0]["id"]
    assert known.run("refund", act, refund_id, *reason).exit_code == 2
    assert known.json("refund", "show", refund_id)["status"] == "requested"


@pytest.mark.parametrize("options", [[], ["--no-input"]])
def test_a_cancel_never_waits_where_nobody_can_type(known: Stage, options: list[str]) -> None:
    refund_id = known.json("refund", "list")["items"][0]["id"]
    done = known.run("refund", "cancel", refund_id, "--reason", "because", *options, stdin="12.75\n")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--yes" in done.stderr
    assert known.json("refund", "show", refund_id)["status"] == "requested"


@pytest.mark.parametrize(("typed", "exit_code"), [("12.75", 0), ("12.57", 2)])
def test_a_cancel_at_a_terminal_asks_for_the_amount(known: Stage, typed: str, exit_code: int) -> None:
    refund_id = known.json("refund", "list")["items"][0]["id"]
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{typed}\n".encode())
        done = subprocess.run(
            [*COMMAND, "refund", "cancel", refund_id, "--reason", "because"],
            stdin=theirs,
            capture_output=True,
            text=True,
            env={**os.environ, **known.env},
            timeout=30,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert "To cancel GBP 12.75 of order 'order-known', type the amount: " in done.stderr
    assert done.returncode == exit_code
    status = "cancelled" if exit_code == 0 else "requested"
    assert known.json("refund", "show", refund_id)["status"] == status
