"""The main job on real input: a retailer's refunds, refused, delayed and unclear, until the last is final.

Judged from outside: the sandbox's own ledger file and the mail sink's own ledger.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest

from cli.faults import Faults
from refunds.domain.schedule import local_date
from refunds.flow.replay import read_lines
from refunds.sandbox import judge
from refunds.store import refunds
from refunds.store.database import Database
from tests.command import environment, run, running, terminate
from tests.conftest import SHARED
from tests.servers.postgres import Postgres
from tests.servers.program import free_port
from tests.servers.smtp import SmtpSink, StartSmtp

EXAMPLES = Path(__file__).parents[2] / "examples"
ADDRESSES = ("oncall@shop.example", "finance@shop.example")
FAULTS = Faults(seed=20_261_122, refuse=10, refuse_one_day=10, refuse_two_days=5, unclear=2)
OPTIONS = (
    *("--clock", "fast", "--check", "--seed", str(FAULTS.seed), "--refuse", str(FAULTS.refuse)),
    *("--refuse-one-day", str(FAULTS.refuse_one_day), "--refuse-two-days", str(FAULTS.refuse_two_days)),
    *("--unclear", str(FAULTS.unclear)),
)


@dataclass(frozen=True)
class Files:
    orders: Path
    requests: Path


@pytest.fixture(scope="session", params=["examples", pytest.param("retailer", marks=pytest.mark.shared)])
def files(request: pytest.FixtureRequest) -> Files:
    if request.param == "examples":
        return Files(EXAMPLES / "orders.jsonl", EXAMPLES / "refund_requests.jsonl")
    folder = SHARED / "data" / "refunds"
    if not folder.is_dir():
        pytest.skip("the shared data is not beside this checkout (../shared)")
    return Files(folder / "orders.jsonl.gz", folder / "refund_requests.jsonl.gz")


@pytest.fixture
def sink(smtp: StartSmtp) -> SmtpSink:
    return smtp()


@pytest.fixture
def env(tmp_path: Path, sink: SmtpSink) -> dict[str, str]:
    return environment(
        tmp_path,
        SMTP_URL=sink.url + ("&" if "?" in sink.url else "?") + "starttls=false",
        MONEYBACK_NOTIFY_EMAILS=",".join(ADDRESSES),
        MONEYBACK_SANDBOX_URL=f"http://127.0.0.1:{free_port()}",
    )


def test_every_refund_is_final_once_on_sqlite(
    files: Files, env: dict[str, str], sink: SmtpSink, tmp_path: Path
) -> None:
    done = run("replay", files.orders, files.requests, *OPTIONS, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    _judge(files, ledger=tmp_path / "sandbox.db", url=f"sqlite:///{tmp_path}/moneyback.db", sink=sink)


def test_every_refund_is_final_once_on_postgresql_and_valkey_with_two_workers(
    files: Files,
    env: dict[str, str],
    sink: SmtpSink,
    tmp_path: Path,
    postgres: Postgres,
    postgres_database: str,
    redis_url: str,
) -> None:
    env = env | {"DATABASE_URL": postgres_database, "REDIS_URL": redis_url}
    assert run("db", "upgrade", env=env).returncode == 0
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(role, env=env, log=tmp_path / f"{role}-{number}.log"))
            for role, number in (("worker", 1), ("worker", 2), ("scheduler", 1))
        ]
        done = run("replay", files.orders, files.requests, *OPTIONS, env=env)
        assert done.returncode == 0, done.stderr[-3000:]
        assert [terminate(process) for process in processes] == [0, 0, 0]
    _judge(files, ledger=tmp_path / "sandbox.db", url=postgres_database, sink=sink)


def _judge(files: Files, *, ledger: Path, url: str, sink: SmtpSink) -> None:
    accepted = [line for line in read_lines(files.requests) if line["derived"]["expected"] == "accept"]
    fates = {line["transaction_id"]: _fate(line["transaction_id"]) for line in accepted}
    hopeless = [line for line in accepted if fates[line["transaction_id"]] == "never"]
    owed = sum(_pennies(line) for line in accepted) - sum(_pennies(line) for line in hopeless)

    assert judge.doubled(ledger) == []
    assert judge.totals(ledger) == {"GBP": owed}

    database = Database(url)
    with database.read() as tx:
        totals = refunds.totals(tx)
        assert refunds.broken_sums(tx) == []
        failed = [
            refund
            for status in ("failed",)
            for refund in refunds.list_page(tx, filters={"status": status}, after=None, limit=5000)
        ]
        tries = {refund.id: refunds.attempts_of(tx, refund.id) for refund in failed}
    database.close()
    paid = len(accepted) - len(hopeless)
    assert {status: count for (status, _), (count, _) in totals.items()} == _without_zero(
        {"refunded": paid, "failed": len(hopeless)},
    )
    assert totals["refunded", "GBP"][1] == owed
    for attempts in tries.values():
        counted = [attempt for attempt in attempts if attempt["counted_number"] is not None]
        assert [attempt["counted_number"] for attempt in counted] == [1, 2, 3, 4]
        assert len({local_date(attempt["claimed_at"], "UTC") for attempt in counted}) == 4

    told = Counter(_final_notices(sink))
    assert told == Counter((refund.id, address) for refund in failed for address in ADDRESSES)


def _fate(transaction_id: str) -> str:
    script = FAULTS.script(transaction_id)
    return "never" if script and script["steps"][0].get("times", 1) is None else "in time"


def _pennies(line: dict[str, str]) -> int:
    return round(float(line["amount"]) * 100)


def _without_zero(counts: dict[str, int]) -> dict[str, int]:
    return {status: count for status, count in counts.items() if count}


def _final_notices(sink: SmtpSink) -> Iterator[tuple[str, str]]:
    for mail in sink.mails():
        message = message_from_bytes(mail.raw)
        if message["X-Moneyback-Event"] == "failed":
            yield message["X-Moneyback-Refund"], mail.rcpt
