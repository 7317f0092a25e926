"""What a hunt for double payments and silent losses found once, and must never find again."""

import http.client
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from refunds.domain.abilities import Grade
from refunds.domain.status import Status
from refunds.flow.operate import cancel, retry_now
from refunds.flow.refusal import Cause, Refusal
from refunds.gateways.registry import open_gateway
from tests.command import environment, run
from tests.flow.elsewhere import UNHURRIED, pay_elsewhere
from tests.house_fixture import HouseMaker
from tests.house_of import House, eventually
from tests.sandbox_process import SandboxProcess
from tests.servers.program import free_port

DECLINE = {"do": "decline", "code": "issuer_declined"}
PROXY_503 = {"do": "error_after", "status": 503}
NO_KEYS = {"keys": False}
FAILED = ("failed", "oncall@shop.test")
RESOLVED = ("resolved", "oncall@shop.test")


def fail(house: House, *then: dict[str, Any]) -> str:
    """Id of a refund that has failed; a try more meets these steps."""
    refund_id = house.refund(house.payment("20.00", {**DECLINE, "times": 4}, *then), "5.00")
    with house.working():
        house.until(refund_id, Status.FAILED, hurry=True)
    return refund_id


def try_now(house: House, refund_id: str) -> None:
    tried = retry_now(house.parts, refund_id, actor="op@desk", reason="customer waits")
    assert not isinstance(tried, Refusal), tried


def refused_to_cancel(house: House, refund_id: str) -> bool:
    refused = cancel(house.parts, refund_id, actor="op@desk", reason="pay another way")
    return isinstance(refused, Refusal) and refused.cause is Cause.WRONG_STATUS


class _Proxy(BaseHTTPRequestHandler):
    """Hands requests on, and answers 503 for a platform that closed the connection, as proxies do."""

    protocol_version = "HTTP/1.1"
    platform = ""

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self._hand_on()

    def do_POST(self) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
        platform = http.client.HTTPConnection(self.platform, timeout=10)
        try:
            platform.request(self.command, self.path, body, headers)
            answer = platform.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            status, content = 503, b"upstream connect error or disconnect/reset before headers"
        finally:
            platform.close()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def proxied(bank: SandboxProcess) -> Iterator[str]:
    """URL of a proxy in front of the gateway."""
    handler = type("Proxy", (_Proxy,), {"platform": urlsplit(bank.url).netloc})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, args=(0.02,))
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(("grade", "options"), [("A", {}), ("B", NO_KEYS)])
def test_a_503_of_a_proxy_before_a_late_commit_pays_once(
    open_house: HouseMaker, sqlite_url: str, proxied: str, grade: str, options: dict[str, bool]
) -> None:
    spoken = open_gateway(
        kind="sandbox",
        base_url=proxied,
        api_key="sandbox",
        grade=Grade(grade),
        key_life=timedelta(hours=24),
        settling=timedelta(minutes=5),
        call_limit_seconds=1,
        max_in_flight=4,
    )
    house = open_house(sqlite_url, gateway=spoken)
    payment = house.payment("20.00", {"do": "late_commit", "seconds": 60}, options=options)
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert house.story(refund_id) == ["requested", "attempting", "in_doubt", "refunded"]
    assert [(row["outcome"], row["code"]) for row in house.attempts(refund_id)] == [("unknown", "http_503")]
    assert (house.paid_minor(refund_id), house.doubled()) == (500, [])


def test_a_try_now_of_a_failed_refund_that_paid_behind_a_503_ends_refunded_and_told(
    either_house: House,
) -> None:
    house = either_house
    refund_id = fail(house, PROXY_503)
    payment = house.get(refund_id).transaction_id

    with house.working():
        try_now(house, refund_id)
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert house.story(refund_id)[-3:] == ["attempting", "in_doubt", "refunded"]
    assert house.notices(refund_id) == [FAILED, RESOLVED]
    balance = house.balance(payment)
    assert (balance.reserved_minor, balance.refunded_minor) == (0, 500)
    assert house.paid_minor(refund_id) == 500


def test_a_refund_behind_a_503_cannot_be_cancelled_while_its_outcome_is_unknown(
    open_house: HouseMaker, database_url: str
) -> None:
    house = open_house(database_url, **UNHURRIED)
    payment = house.payment("20.00", PROXY_503)
    refund_id = house.refund(payment, "5.00")

    with house.working():
        house.until(refund_id, Status.IN_DOUBT)
        assert refused_to_cancel(house, refund_id)
        assert house.balance(payment).reserved_minor == 500
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert house.paid_minor(refund_id) == 500


@pytest.mark.parametrize(
    ("grade", "step", "options"),
    [
        ("A", {"do": "decline", "code": "disputed"}, {}),
        ("A", {"do": "async", "final_after_seconds": 10 * 86_400}, {}),
        ("D", {"do": "reset_after"}, {"keys": False, "look_up": False}),
    ],
    ids=["disputed", "not-final-in-time", "nobody-to-ask"],
)
def test_a_refund_under_review_cannot_be_cancelled(
    open_house: HouseMaker, sqlite_url: str, grade: str, step: dict[str, Any], options: dict[str, bool]
) -> None:
    house = open_house(sqlite_url, grade=grade)
    payment = house.payment("20.00", step, options=options)
    refund_id = house.refund(payment, "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW, hurry=True)

    assert refused_to_cancel(house, refund_id)

    assert house.get(refund_id).status is Status.NEEDS_REVIEW
    assert house.balance(payment).reserved_minor == 500


def test_the_command_that_cancels_a_refund_under_review_ends_with_4(
    house: House, sqlite_url: str, tmp_path: Path
) -> None:
    refund_id = house.refund(house.payment("20.00", {"do": "decline", "code": "disputed"}), "5.00")
    with house.working():
        house.until(refund_id, Status.NEEDS_REVIEW)
    env = environment(tmp_path, DATABASE_URL=sqlite_url)

    done = run("refund", "cancel", refund_id, "--reason", "refunded by the bank", "--yes", env=env)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("wrong_status: a refund that is needs_review cannot be cancelled")


def test_an_outage_longer_than_the_key_s_life_does_not_end_the_life_of_a_key_sent_after_it(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    away = open_house(sqlite_url, base_url=f"http://127.0.0.1:{free_port()}")
    refund_id = away.refund(away.payment("20.00", {"do": "late_commit", "seconds": 600}), "5.00")
    with away.working():
        away.until(refund_id, Status.QUEUED)
    house = open_house(sqlite_url, begins=False)
    house.pass_time(timedelta(hours=25))
    house.reopen_lanes()

    with house.working():
        eventually(lambda: len(house.attempts(refund_id)) == 2)
        absent = house.until(refund_id, Status.QUEUED, hurry=True)
        try_now(house, refund_id)
        house.until(refund_id, Status.REFUNDED, hurry=True)

    assert (absent.generation, absent.attempts_counted) == (1, 1)
    assert {seen.key for seen in house.sent(refund_id)} == {f"{refund_id}-1"}
    assert len(house.sent(refund_id)) == 2
    assert (house.paid_minor(refund_id), house.doubled()) == (500, [])


def test_a_late_failure_is_known_by_its_reference_where_there_are_no_keys(
    open_house: HouseMaker, sqlite_url: str
) -> None:
    house = open_house(sqlite_url, grade="B")
    step = {"do": "async", "final_after_seconds": 60, "succeeds": False}
    refund_id = house.refund(house.payment("20.00", step, options=NO_KEYS), "5.00")

    with house.working():
        house.until(refund_id, Status.REFUNDED, Status.NEEDS_REVIEW, hurry=True)

    assert house.story(refund_id) == [
        *("requested", "attempting", "submitted", "queued", "attempting", "refunded"),
    ]
    assert house.look_ups(refund_id)[-1]["finding"] == "declined"
    assert house.paid_minor(refund_id) == 500


def test_a_late_failure_of_an_older_generation_is_known_by_its_reference(house: House) -> None:
    refund_id = house.refund(house.payment("20.00", DECLINE), "5.00")
    with house.working():
        house.until(refund_id, Status.QUEUED)
    step = {"do": "async", "final_after_seconds": 2 * 86_400, "succeeds": False}
    house.bank.script(house.get(refund_id).transaction_id, step)
    pay_elsewhere(house, refund_id, key=f"{refund_id}-0")

    with house.working():
        house.until(refund_id, Status.SUBMITTED, hurry=True)
        house.until(refund_id, Status.REFUNDED, Status.NEEDS_REVIEW, hurry=True)

    assert house.story(refund_id)[-4:] == ["submitted", "queued", "attempting", "refunded"]
    assert house.look_ups(refund_id)[-1]["finding"] == "declined"
    assert (house.paid_minor(refund_id), house.doubled()) == (500, [])


def test_a_failed_refund_whose_try_now_was_accepted_and_fails_later_is_told_again(house: House) -> None:
    refund_id = fail(house, {"do": "async", "final_after_seconds": 3600, "succeeds": False})

    with house.working():
        try_now(house, refund_id)
        house.until(refund_id, Status.SUBMITTED)
        house.until(refund_id, Status.FAILED, hurry=True)

    assert house.notices(refund_id) == [FAILED, FAILED]
    assert house.balance(house.get(refund_id).transaction_id).reserved_minor == 0
