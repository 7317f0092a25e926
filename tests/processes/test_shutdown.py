"""SIGTERM ends a process within 30 seconds, whatever hangs meanwhile."""

import json
import socket
import time
from pathlib import Path

import httpx
import pytest

from config.settings import load
from refunds.bootstrap import open_house
from refunds.flow.dispatch import Dispatcher
from refunds.store import notices, refunds
from tests.cli.stage import stage
from tests.command import environment, running, terminate
from tests.house_of import eventually
from tests.sandbox_process import sandbox
from tests.servers.mail_ledger import Fault
from tests.servers.program import free_port
from tests.servers.smtp import SmtpSink, StartSmtp

NOTICES = 300


@pytest.fixture
def mute(smtp: StartSmtp) -> SmtpSink:
    """A mail server that takes connections and falls silent."""
    sink = smtp()
    sink.set_fault(None, Fault.HANG)
    return sink


@pytest.fixture
def env(tmp_path: Path, mute: SmtpSink) -> dict[str, str]:
    """A database in which hundreds of notices are due."""
    addresses = ",".join(f"person{number}@shop.example" for number in range(NOTICES))
    with sandbox(ledger=tmp_path / "ledger.db") as bank:
        bank.default_script({"do": "decline", "code": "card_closed", "times": None})
        own = environment(
            tmp_path / "data",
            SMTP_URL=mute.url,
            MONEYBACK_NOTIFY_EMAILS=addresses,
            MONEYBACK_RETRY_DAYS="0",
            MONEYBACK_SANDBOX_URL=bank.url,
            PORT=str(free_port()),
        )
        refund_id = stage(tmp_path / "data", **own).create("hopeless")
        house = open_house(load(environ=own), role="test")
        dispatcher = Dispatcher(house.parts)
        dispatcher.start()

        def failed() -> bool:
            with house.parts.database.read() as tx:
                refund = refunds.get(tx, refund_id)
                return refund is not None and refund.status == "failed"

        eventually(failed)
        dispatcher.stop(within_seconds=10)
        with house.parts.database.read() as tx:
            assert len(notices.of_refund(tx, refund_id)) == NOTICES
        house.close()
    return own | {"MONEYBACK_SANDBOX_URL": f"http://127.0.0.1:{free_port()}"}


def test_a_scheduler_ends_though_hundreds_of_mails_wait_for_a_silent_server(
    env: dict[str, str], mute: SmtpSink, tmp_path: Path
) -> None:
    with running("scheduler", env=env, log=tmp_path / "scheduler.log") as process:
        eventually(lambda: len(mute.turned_away()) == 1)
        assert terminate(process, within_seconds=30) == 0
    assert len(mute.turned_away()) == 1  # it began no other


def test_up_ends_though_web_and_mail_both_hang(env: dict[str, str], mute: SmtpSink, tmp_path: Path) -> None:
    port = int(env["PORT"])
    with running("up", env=env, log=tmp_path / "up.log") as process:
        eventually(lambda: len(mute.turned_away()) == 1)
        token = (tmp_path / "data" / "token").read_text().strip()
        document = json.dumps({"order_id": "1"}).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as half:
            half.sendall(
                f"POST /v1/payments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(document) + 1}\r\n"
                "Expect: 100-continue\r\n\r\n".encode(),
            )
            assert half.recv(1000).startswith(b"HTTP/1.1 100 ")
            half.sendall(document)
            began = time.monotonic()
            code = terminate(process, within_seconds=30)
            assert (code, time.monotonic() - began < 29) == (0, True)
    assert len(mute.turned_away()) == 1


def test_up_that_cannot_listen_ends_as_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        env = environment(
            tmp_path,
            PORT=str(taken.getsockname()[1]),
            MONEYBACK_SANDBOX_URL=f"http://127.0.0.1:{free_port()}",
        )
        with running("up", env=env, log=tmp_path / "up.log") as process:
            assert process.wait(timeout=30) == 1
    assert b"address already in use" in (tmp_path / "up.log").read_bytes()


def test_up_ends_well_at_once_when_nothing_hangs(tmp_path: Path) -> None:
    env = environment(
        tmp_path, PORT=str(free_port()), MONEYBACK_SANDBOX_URL=f"http://127.0.0.1:{free_port()}"
    )
    with running("up", env=env, log=tmp_path / "up.log") as process:
        eventually(lambda: _answers(f"http://127.0.0.1:{env['PORT']}/livez"))
        assert terminate(process, within_seconds=8) == 0


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
