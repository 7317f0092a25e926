"""The servers of a benchmark: a durable PostgreSQL, a Valkey and, a process for itself, a gateway."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.seed import prepare
from refunds.store.database import Database
from tests.sandbox_process import sandbox
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer

ROOT = Path(__file__).parents[1]

GatewayKind = Literal["sandbox", "stub"]
DatabaseKind = Literal["postgresql", "sqlite"]


@dataclass(frozen=True, slots=True)
class GatewayProcess:
    """A running gateway; `url` has no slash at its end."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class DatabaseHandle:
    """A migrated database of a benchmark. `server` is the process to watch, None inside the worker."""

    kind: DatabaseKind
    url: str
    dsn: str
    server: int | None

    def open(self) -> Database:
        """For the driver's own look at it."""
        return Database(self.url, pool_size=2)


@dataclass(frozen=True, slots=True)
class Servers:
    """What runs as long as the benchmark does; `folder` is gone with it."""

    postgres: PostgresServer
    valkey: ValkeyServer
    folder: Path
    template: str

    def database(self, kind: DatabaseKind, name: str) -> DatabaseHandle:
        """A new database, migrated and empty."""
        if kind == "postgresql":
            made = self.postgres.create_database(self.template)
            return DatabaseHandle(kind, self.postgres.url(made), self.postgres.dsn(made), self.postgres.pid)
        handle = DatabaseHandle(kind, f"sqlite:///{self.folder / name}.db", "", None)
        _prepare(handle)
        return handle

    @contextmanager
    def gateway(self, kind: GatewayKind, *, latency_ms: int) -> Iterator[GatewayProcess]:
        """A gateway on a free loopback port, ended on the way out."""
        if kind == "sandbox":
            ledger = Path(tempfile.mkdtemp(dir=self.folder)) / "ledger.db"
            with sandbox(ledger=ledger, latency_ms=latency_ms) as process:
                yield GatewayProcess(process.url, process.pid)
            return
        command = [sys.executable, "-m", "bench.stub", str(latency_ms)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as stub:
            try:
                assert stub.stdout is not None
                yield GatewayProcess(f"http://127.0.0.1:{int(stub.stdout.readline())}", stub.pid)
            finally:
                stub.kill()


@contextmanager
def servers() -> Iterator[Servers]:
    """Start both servers with default durability; everything is gone at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        PostgresServer(durable=True) as postgres,
        ValkeyServer() as valkey,
    ):
        template = postgres.create_database()
        handle = DatabaseHandle("postgresql", postgres.url(template), postgres.dsn(template), postgres.pid)
        _prepare(handle)
        yield Servers(postgres, valkey, Path(folder), template)


def _prepare(handle: DatabaseHandle) -> None:
    database = handle.open()
    prepare(database)
    database.close()
