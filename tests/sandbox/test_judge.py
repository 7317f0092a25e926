from pathlib import Path

from refunds.sandbox import judge
from tests.sandbox.stage import Stage
from tests.sandbox_process import sandbox


def test_a_judge_finds_what_was_paid_doubled_and_taken_back(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    with sandbox(ledger=ledger) as running:
        plain, double, void, failed = (Stage(running, name) for name in ("plain", "double", "void", "failed"))
        plain.put()
        double.put()
        void.put(captured_minor=0, authorized_minor=500)
        failed.put()
        plain.refund(100)
        double.refund(200, key="one")
        double.refund(200, key="two")
        void.refund(500, verb="void")
        failed.script({"do": "late_failure", "after_seconds": 60})
        failed.refund(300, key="one")
        running.set_clock(offset_seconds=61)
        failed.refund(300, key="two")

        assert judge.totals(ledger) == {"GBP": 800}
        assert judge.doubled(ledger) == [double.reference()]
        assert judge.paid(ledger) == {
            plain.reference(): (100, "GBP"),
            double.reference(): (400, "GBP"),
            void.reference(): (500, "GBP"),
            failed.reference(): (300, "GBP"),
        }
