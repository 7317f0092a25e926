"""Each line of the Procfile as it stands, with PostgreSQL and Valkey; how processes end."""

import json
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from refunds.sandbox import judge
from tests.command import environment, run, running, terminate
from tests.sandbox_process import SandboxProcess, sandbox
from tests.servers.program import free_port

PROCFILE = dict(
    line.split(": ", 1) for line in (Path(__file__).parents[2] / "Procfile").read_text().splitlines() if line
)


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[SandboxProcess]:
    with sandbox(ledger=tmp_path / "ledger.db") as process:
        yield process


@pytest.fixture
def env(tmp_path: Path, bank: SandboxProcess, postgres_database: str, redis_url: str) -> dict[str, str]:
    return environment(
        tmp_path,
        DATABASE_URL=postgres_database,
        REDIS_URL=redis_url,
        MONEYBACK_SANDBOX_URL=bank.url,
        PORT=str(free_port()),
    )


def _arguments(role: str) -> list[str]:
    command, *arguments = shlex.split(PROCFILE[role])
    assert command == "moneyback"
    return arguments


def _until(true: Callable[[], bool], *, within_seconds: float = 20) -> None:
    deadline = time.monotonic() + within_seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _client(env: dict[str, str]) -> httpx.Client:
    told = run("token", "create", "--name", "shop", "--scope", "write", "--json", env=env)
    token = json.loads(told.stdout)["token"]
    url = f"http://127.0.0.1:{env['PORT']}"
    _until(lambda: _is_ready(url))
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"})


def _hand_over(client: httpx.Client, number: int) -> str:
    payment = {
        "order_id": f"order-{number}",
        "transaction_id": f"pay-{number}",
        "captured_amount": "20.00",
        "currency": "EUR",
    }
    answer = client.post(
        "/v1/refunds",
        json={"amount": "5.00", "payment": payment},
        headers={"Idempotency-Key": f"key-{number}"},
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_every_line_of_the_procfile_works_as_it_stands(
    env: dict[str, str], bank: SandboxProcess, tmp_path: Path
) -> None:
    assert run(*_arguments("release"), env=env).returncode == 0
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(*_arguments(role), env=env, log=tmp_path / f"{role}.log"))
            for role in ("web", "worker", "scheduler")
        ]
        with _client(env) as client:
            ids = [_hand_over(client, number) for number in range(10)]
            _until(
                lambda: all(client.get(f"/v1/refunds/{id_}").json()["status"] == "refunded" for id_ in ids)
            )
        assert judge.totals(bank.ledger) == {"EUR": 5000}
        assert [terminate(process) for process in processes] == [0, 0, 0]


def test_a_worker_waits_for_the_migration(env: dict[str, str], bank: SandboxProcess, tmp_path: Path) -> None:
    with ExitStack() as stack:
        web = stack.enter_context(running("web", env=env, log=tmp_path / "web.log"))
        worker = stack.enter_context(running("worker", env=env, log=tmp_path / "worker.log"))
        _until(lambda: b"not migrated" in (tmp_path / "worker.log").read_bytes())
        assert run("db", "upgrade", env=env).returncode == 0
        with _client(env) as client:
            refund_id = _hand_over(client, 1)
            _until(lambda: client.get(f"/v1/refunds/{refund_id}").json()["status"] == "refunded")
        assert [terminate(worker), terminate(web)] == [0, 0]


def test_a_stopping_worker_settles_what_is_in_flight(
    env: dict[str, str], bank: SandboxProcess, tmp_path: Path
) -> None:
    assert run("db", "upgrade", env=env).returncode == 0
    bank.default_script({"do": "slow", "seconds": 2, "times": None})
    with ExitStack() as stack:
        stack.enter_context(running("web", env=env, log=tmp_path / "web.log"))
        worker = stack.enter_context(running("worker", env=env, log=tmp_path / "worker.log"))
        with _client(env) as client:
            ids = [_hand_over(client, number) for number in range(5)]
            _until(lambda: len(judge.paid(bank.ledger)) == 5)
            assert terminate(worker) == 0
            assert {client.get(f"/v1/refunds/{id_}").json()["status"] for id_ in ids} == {"refunded"}


def test_a_killed_worker_exits_non_zero_and_another_takes_over(
    env: dict[str, str], bank: SandboxProcess, tmp_path: Path
) -> None:
    env = env | {"MONEYBACK_LEASE_SECONDS": "5", "MONEYBACK_CALL_LIMIT_SECONDS": "2"}
    assert run("db", "upgrade", env=env).returncode == 0
    bank.default_script({"do": "slow", "seconds": 1, "times": None})
    with ExitStack() as stack:
        for role in ("web", "scheduler"):
            stack.enter_context(running(role, env=env, log=tmp_path / f"{role}.log"))
        first = stack.enter_context(running("worker", env=env, log=tmp_path / "first.log"))
        with _client(env) as client:
            ids = [_hand_over(client, number) for number in range(5)]
            _until(lambda: len(judge.paid(bank.ledger)) == 5)
            first.send_signal(signal.SIGKILL)
            assert first.wait(timeout=10) != 0
            stack.enter_context(running("worker", env=env, log=tmp_path / "second.log"))
            _until(
                lambda: {client.get(f"/v1/refunds/{id_}").json()["status"] for id_ in ids} == {"refunded"},
                within_seconds=40,
            )
    assert judge.doubled(bank.ledger) == []
    assert judge.totals(bank.ledger) == {"EUR": 2500}


def test_intake_answers_and_work_goes_on_while_redis_is_away(
    env: dict[str, str], bank: SandboxProcess, tmp_path: Path
) -> None:
    env = env | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
    assert run("db", "upgrade", env=env).returncode == 0
    with ExitStack() as stack:
        processes = [
            stack.enter_context(running(role, env=env, log=tmp_path / f"{role}.log"))
            for role in ("web", "worker")
        ]
        with _client(env) as client:
            began = time.monotonic()
            refund_id = _hand_over(client, 1)
            assert time.monotonic() - began < 2
            _until(lambda: client.get(f"/v1/refunds/{refund_id}").json()["status"] == "refunded")
        assert [terminate(process) for process in processes] == [0, 0]


def test_up_serves_everything_in_one_process_tree(tmp_path: Path) -> None:
    env = environment(
        tmp_path, PORT=str(free_port()), MONEYBACK_SANDBOX_URL=f"http://127.0.0.1:{free_port()}"
    )
    with running("up", env=env, log=tmp_path / "up.log") as process:
        url = f"http://127.0.0.1:{env['PORT']}"
        _until(lambda: _is_ready(url))
        token = (tmp_path / "token").read_text().strip()
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
            refund_id = _hand_over(client, 1)
            _until(lambda: client.get(f"/v1/refunds/{refund_id}").json()["status"] == "refunded")
        children = subprocess.run(
            ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False
        )
        assert len(children.stdout.split()) == 1
        assert terminate(process) == 0
    assert judge.totals(tmp_path / "sandbox.db") == {"EUR": 500}
