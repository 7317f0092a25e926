"""The real application behind uvicorn on a loopback port, with an SQLite house of its own."""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text

from config.settings import load
from refunds.bootstrap import House, open_house, prepare_database
from refunds.domain.status import Status, Wait
from refunds.flow import tokens
from refunds.flow.parts import Parts
from refunds.store import moves, refunds
from refunds.store.database import now
from web.api.app import create_app
from web.api.documents import Problem
from web.serve import build_server


def eventually(fact: Callable[[], bool], *, within_seconds: float = 10) -> None:
    """Return once the fact holds."""
    end = time.monotonic() + within_seconds
    while not fact():
        assert time.monotonic() < end, "it never came true"
        threading.Event().wait(0.01)


@dataclass
class Service:
    """A running web process, on a thread."""

    url: str
    house: House

    @property
    def parts(self) -> Parts:
        """Its parts, to look behind the interface."""
        return self.house.parts

    @cached_property
    def contract(self) -> dict[str, Any]:
        """Its OpenAPI document."""
        document: dict[str, Any] = httpx.get(f"{self.url}/openapi.json", trust_env=False).json()
        return document

    def client(
        self, *scopes: str, secret: str | None = None, name: str = "shop", checked: bool = True
    ) -> httpx.Client:
        """A client with a token of these scopes; `checked`: every answer has to be one that is declared."""
        if secret is None and scopes:
            _, secret = tokens.create(self.parts, name=name, scopes=scopes)
        return httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {secret}"} if secret else {},
            event_hooks={"response": [self._check_declared] if checked else []},
            trust_env=False,
            verify=False,  # nothing here is encrypted, and loading authorities takes long
            timeout=15,
        )

    def exchange(self, sent: bytes, *, hang_up: bool = False) -> bytes:
        """Send bytes on a connection of its own, and read until the other side closes it."""
        address = ("127.0.0.1", int(self.url.rpartition(":")[2]))
        received = b""
        with socket.create_connection(address, timeout=10) as connection, suppress(ConnectionError):
            connection.sendall(sent)
            if hang_up:
                with suppress(OSError):  # the other side may have hung up first
                    connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65536):
                received += chunk
        return received

    def count(self, table: str) -> int:
        """How many rows a table has."""
        with self.parts.database.read() as tx:
            found: int = tx.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one()
            return found

    def history_of(self, refund_id: str) -> list[dict[str, Any]]:
        """The refund's history."""
        with self.parts.database.read() as tx:
            return refunds.history_of(tx, refund_id)

    def put_on_queue(self, refund_id: str) -> None:
        """As a worker does that found the gateway away."""
        with self.parts.database.begin() as tx:
            refund = refunds.get(tx, refund_id, lock=True)
            assert refund is not None
            at = now(tx)
            changed = {"due_at": at + timedelta(days=1), "wait": Wait.OUTAGE}
            moves.move(tx, refund, new=Status.QUEUED, actor="test", why="away", now=at, values=changed)

    def _check_declared(self, response: httpx.Response) -> None:
        for path, operations in self.contract["paths"].items():
            template = re.sub(r"\{\w+\}", "[^/]+", path)
            operation = operations.get(response.request.method.lower())
            if operation and re.fullmatch(template, response.request.url.path):
                declared = operation["responses"]
                assert str(response.status_code) in declared, f"{response} of {path} is not declared"
                media = response.headers["Content-Type"]
                assert media in declared[str(response.status_code)]["content"], f"{media} of {path}"


@contextmanager
def running(folder: Path, *, migrated: bool = True, body_seconds: float = 10.0) -> Iterator[Service]:
    """A service that ends with the block."""
    house = open_house(load(environ={"MONEYBACK_DATA_DIR": str(folder)}), role="web")
    if migrated:
        prepare_database(house)
    app = create_app(house.parts, body_seconds=body_seconds)

    @app.get("/broken", include_in_schema=False)
    def broken() -> None:
        raise LookupError("a defect, with a secret in it")

    server = build_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.run, name="uvicorn")
    thread.start()
    try:
        eventually(lambda: server.started)
        yield Service(f"http://127.0.0.1:{server.port}", house)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        house.close()
        assert not thread.is_alive()


def is_problem(answer: httpx.Response, status: int, name: str) -> bool:
    """Whether the answer is this problem, whole and consistent."""
    body = Problem.model_validate(answer.json())
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["X-Request-Id"] == body.request_id
    assert body.status == answer.status_code
    return (answer.status_code, body.type) == (status, f"/problems/{name}")
