"""The scenario of the demo: real parts, a fast clock, and a verdict from outside our own tables."""

import threading
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from cli.demo import EXAMPLES, HOPELESS, ONE_DAY, TWO_DAYS, UNCLEAR, data, talk
from cli.faults import sandbox_payment
from cli.queue import emit_queue
from cli.replaying import HOLD
from cli.sandbox_child import SandboxChild
from cli.up import local_token
from config.logging import configure
from config.settings import load
from refunds.bootstrap import open_house, prepare_database
from refunds.domain.money import Money
from refunds.flow.days import Moment, StuckError, let_days_pass, settle_down
from refunds.flow.overview import queue
from refunds.flow.replay import Replayed, replay
from refunds.gateways.sandbox_control import SandboxControl, SandboxControlError
from refunds.process import catch_signals
from refunds.sandbox import judge
from scheduler.main import RunningScheduler
from web.api.app import create_app
from web.serve import build_server
from worker.main import RunningWorker

PATIENCE_SECONDS = 20.0
STOP_SECONDS = 10.0
SHOWN_TRIES = 50


class Demonstration:
    """Everything started on the embedded default, in a folder of its own."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        talk.print("Starting: SQLite file, in-memory broker, sandbox gateway over HTTP, mail folder, web")
        self.sandbox = SandboxChild(url="http://127.0.0.1:0", ledger=folder / "sandbox.db")
        stack.callback(self.sandbox.stop)
        environ = {"MONEYBACK_DATA_DIR": str(folder), "MONEYBACK_SANDBOX_URL": self.sandbox.url, "PORT": "0"}
        no_file = folder / "moneyback.toml"
        no_file.touch()
        self.settings = load(environ=environ, config_file=no_file)
        configure(log_format="text", level="error")
        self.control = SandboxControl(self.sandbox.url)
        stack.callback(self.control.close)
        self.house = open_house(self.settings, role="demo")
        stack.callback(self.house.close)
        prepare_database(self.house)
        self.token = local_token(self.house, folder / "token")
        self.server = build_server(create_app(self.house.parts), self.settings.host, self.settings.port)
        serving = threading.Thread(target=self.server.run, daemon=True)
        serving.start()
        worker = RunningWorker(self.house)
        stopping = threading.Event()
        scheduler = RunningScheduler(self.house.parts, stopping=stopping)

        def stop() -> None:
            self.server.should_exit = True
            stopping.set()
            worker.stop(within_seconds=self.settings.shutdown_seconds)
            scheduler.stop(within_seconds=STOP_SECONDS)
            serving.join(timeout=STOP_SECONDS)

        stack.callback(stop)

    def hand_over(self) -> Replayed:
        """Real requests, through the same intake as any other; some of their payments will be refused."""
        handed = replay(
            self.house.parts,
            orders=EXAMPLES / "orders.jsonl",
            requests=EXAMPLES / "refund_requests.jsonl",
            hold=HOLD,
            before_release=lambda done: self.control.put_payments(_scenario(done)),
        )
        for item in handed.judged:
            mark = "taken  " if item.verdict == "accept" else "refused"
            told = f"  {mark} {item.request_id:<12} {Money(item.asked_minor, item.currency)}  {item.detail}"
            talk.print(told.rstrip(), markup=False, highlight=False)
        return handed

    def settle_today(self) -> None:
        """Wait for the first attempts."""
        try:
            settle_down(self.house.parts, patience_seconds=PATIENCE_SECONDS)
        except StuckError as error:
            talk.print(f"the first attempts did not end: {error}", markup=False)

    def let_days_pass(self) -> list[str]:
        """Three days on the fast clock; returns what kept it from coming to an end."""
        shown: set[str] = set()

        def seen(moment: Moment) -> None:
            day = moment.now.strftime("%a %d %b %H:%M")
            if day not in shown:
                shown.add(day)
                talk.print(f"  {day} UTC: {moment.open_refunds} refunds still open", highlight=False)

        try:
            let_days_pass(
                self.house.parts,
                move_gateway_clock=lambda ahead: self.control.set_offset(ahead.total_seconds()),
                seen=seen,
                at_most=40,
                patience_seconds=PATIENCE_SECONDS,
            )
        except (StuckError, SandboxControlError) as error:
            return [f"the days did not come to an end: {error}"]
        return []

    def print_queue(self, title: str) -> None:
        """The queue as `moneyback queue` shows it."""
        data.rule(title)
        emit_queue(queue(self.house.parts, limit=SHOWN_TRIES))

    def judge(self, handed: Replayed, mails: list[EmailMessage]) -> list[str]:
        """Compare the sandbox's ledger file and the mails themselves with what the scenario says."""
        accepted = {item.refund_id: item for item in handed.judged if item.refund_id}
        payments = list(dict.fromkeys(item.transaction_id for item in accepted.values()))
        hopeless = {id_ for id_, item in accepted.items() if item.transaction_id in payments[:HOPELESS]}
        should = {
            id_: (item.asked_minor, item.currency) for id_, item in accepted.items() if id_ not in hopeless
        }
        problems = [f"{reference} was paid twice" for reference in judge.doubled(self.sandbox.ledger)]
        if judge.paid(self.sandbox.ledger) != should:
            problems.append("the sandbox's ledger does not show exactly the refunds that should be paid")
        told = sorted((mail["X-Moneyback-Refund"], mail["To"]) for mail in mails)
        if told != sorted((id_, address) for id_ in hopeless for address in self.settings.notify_emails):
            problems.append(
                f"{len(hopeless)} refunds failed for good, {len(told)} final notices are in the mail folder"
            )
        differing = handed.differences()
        problems += [f"{item.request_id}: expected {item.expected}, got {item.verdict}" for item in differing]
        if not problems:
            paid = len(should)
            talk.print(
                f"{paid} paid once, {len(hopeless)} failed for good after four tries, {len(told)} mails"
            )
        return problems

    def keep_up(self) -> None:
        """Leave the web process up until a signal comes."""
        address = f"http://127.0.0.1:{self.server.port}"
        talk.print(f"Still up: {address}  token: {self.token}  (Ctrl-C ends it)", markup=False)
        catch_signals().wait()


def _scenario(done: Replayed) -> list[dict[str, Any]]:
    """The first payments with an accepted request, in order, each with its fate."""
    wanted = [item.transaction_id for item in done.judged if item.refund_id]
    fates: list[dict[str, Any]] = [
        *[{"do": "decline", "code": "card_closed", "times": None}] * HOPELESS,
        *[{"do": "decline", "code": "insufficient_funds", "days": 1}] * ONE_DAY,
        *[{"do": "decline", "code": "insufficient_funds", "days": 2}] * TWO_DAYS,
        *[{"do": "reset_after"}] * UNCLEAR,
    ]
    steps = dict(zip(dict.fromkeys(wanted), fates, strict=False))
    return [
        sandbox_payment(
            document, script={"steps": [steps[id_]] if (id_ := document["transaction_id"]) in steps else []}
        )
        for document in done.payments
    ]
