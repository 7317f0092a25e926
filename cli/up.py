"""`moneyback up`: web, worker and scheduler in one process, the sandbox gateway as its child."""

import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import structlog
from rich.console import Console

from cli.sandbox_child import sandbox_control
from config.settings import Settings
from refunds.bootstrap import House, open_house, prepare_database
from refunds.flow import tokens
from refunds.process import catch_signals
from scheduler.main import RunningScheduler
from web.api.app import create_app
from web.serve import Server, build_server
from worker.main import RunningWorker

log = structlog.get_logger(__name__)
talk = Console(stderr=True)

LOOK_SECONDS = 0.05


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; 0 if everything in flight was settled, else 1.

    Web, worker and scheduler stop at once and share `Settings.shutdown_seconds`, begun at the signal. A mail
    that is cut off then is no failure: its lease hands it on. A second signal ends it at once, as a failure.
    """
    ending = catch_signals()
    with ExitStack() as stack:
        if _uses_sandbox(settings):
            stack.enter_context(sandbox_control(settings, start=True))
        house = open_house(settings, role="up")
        stack.callback(house.close)
        prepare_database(house)
        token = local_token(house, settings.data_dir / "token")
        server = build_server(create_app(house.parts), settings.host, settings.port)
        # On a thread, so that the signals are ours: what they begin is more than the end of the web.
        serving = threading.Thread(target=server.run, name="web", daemon=True)
        worker = RunningWorker(house)
        scheduler = RunningScheduler(house.parts, stopping=ending)
        serving.start()
        threading.Thread(target=_say_hello, args=(server, settings, token), daemon=True).start()
        while serving.is_alive() and not ending.wait(LOOK_SECONDS):
            pass
        log.info("up.stopping")
        asked = ending.is_set()
        drained = _stop(server, serving, worker, scheduler, ending, within_seconds=settings.shutdown_seconds)
    return 0 if asked and drained else 1


def _stop(
    server: Server,
    serving: threading.Thread,
    worker: RunningWorker,
    scheduler: RunningScheduler,
    ending: threading.Event,
    *,
    within_seconds: float,
) -> bool:
    """Stop all three at once; True if nothing was cut short."""
    deadline = time.monotonic() + within_seconds
    ending.set()  # no tick begins any more
    server.should_exit = True
    drained = worker.stop(within_seconds=within_seconds)
    ended = scheduler.stop(within_seconds=max(deadline - time.monotonic(), 0.0))
    serving.join(max(deadline - time.monotonic(), 0.0))
    return drained and ended and not serving.is_alive() and not server.cut_work


def local_token(house: House, path: Path) -> Path:
    """A token for whoever may read the data folder: made at the first start, kept in a file of mode 0600."""
    if not path.exists():
        _, secret = tokens.create(house.parts, name="local", scopes=["admin"])
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
    return path


def _uses_sandbox(settings: Settings) -> bool:
    return any(gateway.kind == "sandbox" for gateway in settings.gateways)


def _say_hello(server: Server, settings: Settings, token: Path) -> None:
    waiting = threading.Event()
    while not server.started:
        waiting.wait(LOOK_SECONDS)
    address = f"http://{settings.host}:{server.port}"
    talk.print(
        f"""moneyback is up at {address}
  database   {settings.redacted()["database_url"]}
  mail       {settings.redacted()["smtp_url"] or settings.data_dir / "mail"}
  sandbox    {settings.sandbox_url}
  token      {token}

Hand over a refund:
  curl -s {address}/v1/refunds -H "Authorization: Bearer $(cat {token})" \\
    -H "Idempotency-Key: first-refund" -H "Content-Type: application/json" -d '{{
    "amount": "12.75", "payment": {{"order_id": "1001", "transaction_id": "pay_1001",
    "captured_amount": "255.00", "currency": "GBP"}}}}'
Watch the queue:  moneyback queue --watch""",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
