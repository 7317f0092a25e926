import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from refunds.sandbox import judge
from tests.sandbox.stage import Stage, eventually
from tests.sandbox_process import sandbox


def test_what_was_answered_is_in_the_ledger_of_a_killed_sandbox(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    answered: list[str] = []

    def refund_until_killed(client: int) -> None:
        with suppress(ConnectionError):
            for number in range(100_000):
                answer = Stage(running, f"tx_{client}_{number}").refund()
                answered.append(answer.body["reference"])

    with sandbox(ledger=ledger) as running, ThreadPoolExecutor(8) as pool:
        clients = pool.map(refund_until_killed, range(8))
        eventually(lambda: len(judge.paid(ledger)) >= 50)
        running.kill()
        list(clients)

    assert len(answered) >= 40
    assert set(answered) <= set(judge.paid(ledger))


def test_keys_scripts_and_clock_survive_a_killed_sandbox(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with sandbox(ledger=ledger) as running:
        stage = Stage(running, "tx")
        stage.put()
        stage.script({"do": "decline", "code": "insufficient_funds", "times": 2})
        stage.refund(key="declined")
        running.set_clock(offset_seconds=1000)
        running.kill()

    with sandbox(ledger=ledger) as running:
        stage = Stage(running, "tx")
        assert stage.refund(key="declined").headers["Idempotent-Replayed"] == "true"
        assert [stage.refund(key="new").status, stage.refund(key="third").status] == [402, 201]
        assert running.call("GET", "/sandbox/clock").body["offset_seconds"] == 1000


def test_a_strict_sandbox_refuses_a_payment_it_was_not_told_about(tmp_path: Path) -> None:
    with sandbox(ledger=tmp_path / "ledger.sqlite", strict=True) as running:
        unknown, known = Stage(running, "unknown"), Stage(running, "known")
        known.put()

        answer = unknown.refund()

        assert (answer.status, answer.body["error"]["code"]) == (404, "payment_unknown")
        assert known.refund().status == 201


def test_a_sandbox_that_is_told_to_stop_ends_cleanly_though_a_request_hangs(tmp_path: Path) -> None:
    with sandbox(ledger=tmp_path / "new folder" / "ledger.sqlite") as running:
        stage = Stage(running, "tx")
        stage.put()
        stage.script({"do": "hang_after", "seconds": 600})
        with ThreadPoolExecutor(1) as pool:
            hanging = pool.submit(stage.refund)
            eventually(lambda: stage.paid_minor() == 100)
            assert running.stop() == 0
            with pytest.raises(ConnectionError):
                hanging.result()


def test_requests_of_one_turn_share_a_transaction_and_all_are_kept(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with sandbox(ledger=ledger, latency_ms=20) as running:
        start = time.monotonic()
        Stage(running, "tx").refund()
        assert time.monotonic() - start >= 0.02
        before = _file_changes(ledger)
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda number: Stage(running, f"tx_{number}").refund(), range(160)))
        commits = _file_changes(ledger) - before

    assert {answer.status for answer in answers} == {201}
    assert len(judge.paid(ledger)) == 161
    assert commits < 160


def _file_changes(ledger: Path) -> int:
    """SQLite's own count of commits (https://www.sqlite.org/fileformat2.html, section 1.3.7)."""
    return int.from_bytes(ledger.read_bytes()[24:28], "big")


def test_a_judge_who_opens_the_file_read_only_sees_what_was_answered(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with sandbox(ledger=ledger) as running:
        stage = Stage(running, "tx")
        stage.refund()
        outside = sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)
        rows = outside.execute(
            "SELECT reference, kind, amount_minor, status, final_at = created_at FROM refund"
        )
        assert rows.fetchall() == [(stage.reference(), "refund", 100, "succeeded", 1)]
        outside.close()


def test_a_defect_of_the_sandbox_answers_500_and_undoes_the_whole_request(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with sandbox(ledger=ledger) as running:
        stage = Stage(running, "tx")
        outside = sqlite3.connect(ledger)
        outside.execute("ALTER TABLE request RENAME TO elsewhere")

        answer = stage.refund()

        outside.execute("ALTER TABLE elsewhere RENAME TO request")
        outside.close()
        assert (answer.status, answer.body["error"]["code"]) == (500, "internal")
        assert judge.paid(ledger) == {}
        assert stage.refund().status == 201
