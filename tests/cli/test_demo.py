"""The demo shows the main job, and fails when the mail folder or the sandbox is broken meanwhile."""

import subprocess
import sys
import textwrap
from email import message_from_bytes, policy
from pathlib import Path

from refunds.sandbox import judge
from tests.command import environment, run


def _demonstrate(folder: Path, break_it: str) -> subprocess.CompletedProcess[str]:
    """Run the scenario with one act of sabotage at the stage `first attempts`."""
    script = f"""
        import shutil, signal, os, sqlite3, sys
        from pathlib import Path
        from cli import demonstration
        from cli.demo import demonstrate

        demonstration.PATIENCE_SECONDS = 4.0
        folder = Path({str(folder)!r})

        def at_stage(stage, sandbox):
            if stage == "first attempts":
                {break_it}

        problems = demonstrate(folder, at_stage=at_stage)
        print(*problems, sep="\\n", file=sys.stderr)
        sys.exit(1 if problems else 0)
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_pays_queues_fails_and_tells(tmp_path: Path) -> None:
    done = run("demo", "--folder", tmp_path, env=environment(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "33 paid once, 3 failed for good after four tries, 3 mails" in done.stderr
    assert "Subject: [moneyback] Refund failed for good: GBP 5.90, order 536537" in done.stdout
    assert "queued: 9 refunds, GBP 682.65, oldest " in done.stdout
    assert "status\trefunds\tsums\toldest\n" in done.stdout
    assert "order\trefund\tamount\tgateway\ttries\twaits for\tnext try\tlast failure\n" in done.stdout
    assert len(judge.paid(tmp_path / "sandbox.db")) == 33
    mails = [
        message_from_bytes(path.read_bytes(), policy=policy.default) for path in tmp_path.glob("mail/*.eml")
    ]
    assert sum(mail["X-Moneyback-Event"] == "failed" for mail in mails) == 3


def test_the_scenario_passes_where_nothing_is_broken(tmp_path: Path) -> None:
    done = _demonstrate(tmp_path, "pass")
    assert done.returncode == 0, done.stderr


def test_the_demo_fails_when_the_mail_folder_breaks(tmp_path: Path) -> None:
    done = _demonstrate(tmp_path, "shutil.rmtree(folder / 'mail'); (folder / 'mail').touch()")
    assert done.returncode == 1
    assert "final notices are in the mail folder" in done.stderr


def test_the_demo_fails_when_the_sandbox_dies(tmp_path: Path) -> None:
    done = _demonstrate(tmp_path, "os.kill(sandbox.pid, signal.SIGKILL)")
    assert done.returncode == 1
    assert "the days did not come to an end" in done.stderr


def test_the_demo_fails_when_the_ledger_shows_a_double(tmp_path: Path) -> None:
    double = (
        "db = sqlite3.connect(folder / 'sandbox.db', timeout=20); "
        "db.execute(\"INSERT INTO refund SELECT 'sre_twice', transaction_id, reference, NULL, kind,"
        ' amount_minor, currency, status, code, created_at, final_at FROM refund LIMIT 1");'
        " db.commit(); db.close()"
    )
    done = _demonstrate(tmp_path, double)
    assert done.returncode == 1
    assert "was paid twice" in done.stderr
