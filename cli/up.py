"""`moneyback up`: web, worker and scheduler in one process, the sandbox gateway as its child."""

import os
import threading
from contextlib import ExitStack
from pathlib import Path

import structlog
from rich.console import Console

from cli.replaying import sandbox_control
from config.settings import Settings
from refunds.bootstrap import House, open_house, prepare_database
from refunds.flow import tokens
from refunds.flow.heartbeat import Heartbeat
from scheduler.ticks import start as start_ticks
from web.api.app import create_app
from web.serve import build_server
from worker.main import RunningWorker

log = structlog.get_logger(__name__)
talk = Console(stderr=True)


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; 0 if everything in flight was settled, else 1."""
    with ExitStack() as stack:
        if _uses_sandbox(settings):
            stack.enter_context(sandbox_control(settings, start=True))
        house = open_house(settings, role="up")
        stack.callback(house.close)
        prepare_database(house)
        token = local_token(house, settings.data_dir / "token")
        server = build_server(create_app(house.parts), settings.host, settings.port)
        worker = RunningWorker(house)
        ticking = start_ticks(house.parts)
        heartbeat = Heartbeat(house.parts, role="scheduler")
        threading.Thread(target=_say_hello, args=(server, settings, token), daemon=True).start()
        server.run()
        log.info("up.stopping")
        ticking.shutdown(wait=True)
        drained = worker.stop(within_seconds=settings.shutdown_seconds)
        heartbeat.close()
    return 0 if drained and server.started else 1


def local_token(house: House, path: Path) -> Path:
    """A token for whoever may read the data folder: made at the first start, kept in a file of mode 0600."""
    if not path.exists():
        _, secret = tokens.create(house.parts, name="local", scopes=["admin"])
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secret + "\n")
    return path


def _uses_sandbox(settings: Settings) -> bool:
    return any(gateway.base_url == settings.sandbox_url for gateway in settings.gateways)


def _say_hello(server: object, settings: Settings, token: Path) -> None:
    waiting = threading.Event()
    while not getattr(server, "started", False):
        waiting.wait(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # uvicorn.Server, started
    address = f"http://{settings.host}:{port}"
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
