"""`moneyback replay`: every verdict as the retailer's data expects, and nothing new the second time."""

import json
from pathlib import Path
from typing import Any

import pytest

from refunds.store import refunds
from refunds.store.database import Database
from tests.command import environment, run
from tests.servers.program import free_port

EXAMPLES = Path(__file__).parents[2] / "examples"


def _env(folder: Path) -> dict[str, str]:
    return environment(folder, MONEYBACK_SANDBOX_URL=f"http://127.0.0.1:{free_port()}")


def _replay(folder: Path, orders: Path, requests: Path, *options: str, code: int = 0) -> dict[str, Any]:
    done = run("replay", orders, requests, "--json", *options, env=_env(folder))
    assert done.returncode == code, done.stderr
    document: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return document


def _rows(folder: Path) -> dict[tuple[str, str], tuple[int, int]]:
    database = Database(f"sqlite:///{folder}/moneyback.db")
    with database.read() as tx:
        totals = refunds.totals(tx)
    database.close()
    return totals


def _write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.shared
def test_the_retailers_requests_get_the_expected_verdicts(tmp_path: Path, shared_folder: Path) -> None:
    folder = shared_folder / "data" / "refunds"
    files = (folder / "orders.jsonl.gz", folder / "refund_requests.jsonl.gz")
    first = _replay(tmp_path, *files, "--check")
    assert first["verdicts"] == {
        "accept": 2752,
        "reject_exceeds_captured": 24,
        "reject_exceeds_remaining": 8,
        "reject_unknown_order": 580,
    }
    assert first["accepted_amounts"] == {"GBP": "285574.12"}
    assert first["repeated"] == 0
    _agree_with_control_totals(first, json.loads((folder / "control_totals.json").read_text()))

    rows = _rows(tmp_path)
    second = _replay(tmp_path, *files, "--check")
    assert second["repeated"] == 3364
    assert second["verdicts"] == first["verdicts"]
    assert _rows(tmp_path) == rows


def _agree_with_control_totals(summary: dict[str, Any], control: dict[str, Any]) -> None:
    ours = {
        f"{row['month']} {row['currency']}": {
            "requests": row["requests"],
            "requested": row["asked"],
            "accepted": row["accepted"],
            "accepted_amount": row["accepted_amount"],
            "rejected": row["refused"],
            "rejected_amount": row["refused_amount"],
        }
        for row in summary["months"]
    }
    assert ours == control["refund_requests"]["per_month"]


def test_the_excerpt_gets_the_expected_verdicts_and_nothing_new_the_second_time(tmp_path: Path) -> None:
    files = (EXAMPLES / "orders.jsonl", EXAMPLES / "refund_requests.jsonl")
    first = _replay(tmp_path, *files, "--check")
    rows = _rows(tmp_path)
    second = _replay(tmp_path, *files, "--check")
    assert (first["repeated"], second["repeated"]) == (0, 41)
    assert first["verdicts"] == second["verdicts"]
    assert _rows(tmp_path) == rows == {("requested", "GBP"): (36, 127069)}


def test_altered_expectations_fail_the_check_and_change_no_verdict(tmp_path: Path) -> None:
    lines = _lines(EXAMPLES / "refund_requests.jsonl")
    before = _replay(tmp_path, EXAMPLES / "orders.jsonl", EXAMPLES / "refund_requests.jsonl")
    for line in lines[3:6]:
        line["derived"] = {**line["derived"], "expected": "reject_unknown_order", "refunded_before": "999.00"}
    altered = _write(tmp_path / "altered.jsonl", lines)
    done = run("replay", EXAMPLES / "orders.jsonl", altered, "--json", "--check", env=_env(tmp_path))
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdicts"] == before["verdicts"]
    assert "38 of 41 verdicts as expected" in done.stderr
    assert f"{lines[3]['request_id']}: expected reject_unknown_order, got accept" in done.stderr


def test_a_request_that_names_several_payments_gets_a_verdict_for_each(tmp_path: Path) -> None:
    order = {
        "order_id": "A1",
        "currency": "BRL",
        "captured_amount": "30.00",
        "payments": [
            {"sequence": 1, "type": "voucher", "installments": 1, "amount": "10.00", "transaction_id": "t1"},
            {
                "sequence": 2,
                "type": "credit_card",
                "installments": 3,
                "amount": "20.00",
                "transaction_id": "t2",
            },
        ],
    }
    request = {
        "request_id": "R1",
        "order_id": "A1",
        "amount": "30.00",
        "currency": "BRL",
        "kind": "full",
        "requested_at": "2018-01-01T00:00:00Z",
        "payments": [
            {"sequence": 1, "amount": "10.00", "transaction_id": "t1"},
            {"sequence": 2, "amount": "20.01", "transaction_id": "t2"},
        ],
        "derived": {"expected": ["accept", "reject_exceeds_captured"]},
    }
    files = _write(tmp_path / "orders.jsonl", [order]), _write(tmp_path / "requests.jsonl", [request])
    summary = _replay(tmp_path, *files, "--check")
    assert summary["verdicts"] == {"accept": 1, "reject_exceeds_captured": 1}


def test_a_void_is_accepted_while_nothing_is_captured_and_taken_to_the_gateway(tmp_path: Path) -> None:
    orders: list[dict[str, Any]] = [
        {
            "order_id": "A",
            "transaction_id": "ta",
            "captured": False,
            "authorized_amount": "12.00",
            "currency": "USD",
        },
        {"order_id": "B", "transaction_id": "tb", "captured_amount": "9.00", "currency": "USD"},
    ]
    common = {"currency": "USD", "kind": "void", "requested_at": "2018-01-01T00:00:00Z"}
    requests = [
        {**common, "request_id": "1", "order_id": "A", "transaction_id": "ta", "amount": "12.01"},
        {**common, "request_id": "2", "order_id": "A", "transaction_id": "ta", "amount": "12.00"},
        {**common, "request_id": "3", "order_id": "A", "transaction_id": "ta", "amount": "12.00"},
        {**common, "request_id": "4", "order_id": "B", "transaction_id": "tb", "amount": "9.00"},
    ]
    files = _write(tmp_path / "orders.jsonl", orders), _write(tmp_path / "requests.jsonl", requests)
    summary = _replay(tmp_path, *files, "--clock", "fast")
    assert summary["verdicts"]["accept"] == 1
    assert _rows(tmp_path) == {("voided", "USD"): (1, 1200)}


def test_what_was_refunded_before_is_no_longer_refundable(tmp_path: Path) -> None:
    order = {"order_id": "A", "transaction_id": "t", "captured_amount": "10.00", "currency": "USD"}
    common = {"order_id": "A", "transaction_id": "t", "currency": "USD", "kind": "partial"}
    requests = [
        {**common, "request_id": "1", "amount": "6.01", "requested_at": "2018-01-01T00:00:00Z"},
        {**common, "request_id": "2", "amount": "6.00", "requested_at": "2018-01-01T00:00:00Z"},
    ]
    files = (
        _write(tmp_path / "orders.jsonl", [{**order, "refunded_before": "4.00"}]),
        _write(tmp_path / "requests.jsonl", requests),
    )
    assert _replay(tmp_path, *files)["verdicts"] == {"accept": 1, "reject_exceeds_remaining": 1}


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    orders = _write(tmp_path / "orders.jsonl", [])
    (tmp_path / "requests.jsonl").write_text('{"request_id": "1"\n')
    done = run("replay", orders, tmp_path / "requests.jsonl", env=_env(tmp_path))
    assert done.returncode == 2
    assert "requests.jsonl, line 1: not a JSON object" in done.stderr
