"""Everything that runs: servers, the two ledgers that are never killed, our processes, a proxy between."""

import json
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import text
from sqlalchemy.engine import make_url

from refunds.store.database import Database, DatabaseUnavailableError
from tests.command import environment, run
from tests.guarantees.processes.proxy import Proxy
from tests.guarantees.processes.resident import TELLS_STACKS, Resident
from tests.sandbox_process import sandbox
from tests.servers.postgres import PostgresServer
from tests.servers.program import free_port
from tests.servers.smtp import SmtpSink, smtp_sink
from tests.servers.valkey import ValkeyServer

LEASE_SECONDS = 4.0
CALL_LIMIT_SECONDS = 1.5
POLL_SECONDS = 0.3
SETTLING_SECONDS = 60
KEY_LIFE_HOURS = 24
GRADES = {"a": "A", "b": "B", "c": "C", "d": "D"}
"""Gateways by name and their grades: all of them are the one sandbox, each by a link of its own."""

ADDRESSES = ("oncall@shop.example", "finance@shop.example")
_USERS_OF = {
    "web": ("postgres", "valkey"),
    "worker": ("postgres", "valkey", *GRADES),
    "scheduler": ("postgres", "valkey", "smtp"),
}
"""Who talks to whom; each pair is a link, and so is the one from the clients to web."""


class City:
    """A running city on PostgreSQL, or on one SQLite file. Leaving it ends every process it started."""

    def __init__(self, folder: Path, *, sqlite: bool) -> None:
        self.folder = folder
        self.sqlite = sqlite
        self._stack = ExitStack()
        self._port = free_port()
        self.postgres: PostgresServer | None = None
        self.residents: dict[str, Resident] = {}

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    @property
    def web(self) -> str:
        """Where clients reach the HTTP entrance: through a link of their own."""
        return f"http://127.0.0.1:{self.proxy.ports['clients-web']}"

    def of_role(self, *roles: str) -> list[Resident]:
        """Our processes of these roles."""
        return [resident for resident in self.residents.values() if resident.role in roles]

    def slow_down(self, ms: int) -> None:
        """From now on the sandbox waits so long before it takes a call."""
        answer = self.bank.call("PUT", "/sandbox/latency", {"ms": ms})
        assert answer.status == 200, answer

    def sessions(self) -> str:
        """What every session of the PostgreSQL server is at and whom it waits for, a line each."""
        if self.sqlite:
            return ""
        try:
            with self.database.read() as tx:
                return "\n".join(str(tuple(row)) for row in tx.execute(_SESSIONS))
        except DatabaseUnavailableError as error:
            return str(error)

    def _build(self) -> None:
        enter = self._stack.enter_context
        self.bank = enter(sandbox(ledger=self.folder / "ledger.db", strict=True))
        self.sink: SmtpSink = enter(smtp_sink(folder=self.folder / "mail"))
        self.valkey = enter(ValkeyServer())
        if self.sqlite:
            self.url = f"sqlite:///{self.folder}/moneyback.db"
        else:
            self.postgres = enter(PostgresServer(tcp=True, durable=True))
            self.url = self.postgres.url(self.postgres.create_database(None))
        self.proxy = enter(Proxy(self._links()))
        (self.folder / "sitecustomize.py").write_text(TELLS_STACKS, "utf-8")
        (self.folder / "moneyback.toml").write_text(self._toml(CALLER), "utf-8")
        direct = self._environment(CALLER)
        for arguments in (["db", "upgrade"], _TOKEN):
            done = run(*arguments, env=direct)
            assert done.returncode == 0, done.stderr
        self.token: str = json.loads(done.stdout)["token"]
        self.database = Database(self.url)
        self._stack.callback(self.database.close)
        numbers = {"web": 1, "worker": 2 if self.sqlite else 3, "scheduler": 2}
        for role, number in numbers.items():
            (self.folder / f"{role}.toml").write_text(self._toml(role), "utf-8")
            for name in (f"{role}-{each + 1}" for each in range(number)):
                self.residents[name] = Resident(name, role, self._environment(role), self.folder)
        for resident in self.residents.values():
            self._stack.callback(resident.end)
            resident.start()
        for resident in self.residents.values():
            assert resident.wait_until_ready(), resident.log.read_text("utf-8")[-2000:]

    def _leave(self) -> None:
        self._stack.close()

    def _links(self) -> dict[str, int]:
        targets = {
            "valkey": self.valkey.port,
            "smtp": _port(self.sink.url),
            **{gateway: _port(self.bank.url) for gateway in GRADES},
        }
        if self.postgres is not None:
            targets["postgres"] = int(str(make_url(self.url).query["port"]))
        links = {
            f"{role}-{target}": targets[target]
            for role, used in _USERS_OF.items()
            for target in used
            if target in targets
        }
        return links | {"clients-web": self._port}

    def _toml(self, role: str) -> str:
        tables = [
            f'[gateways.{name}]\nkind = "sandbox"\nbase_url = "{self._gateway_url(role, name)}"\n'
            f'grade = "{grade}"\nsettling_seconds = {SETTLING_SECONDS}\nkey_life_hours = {KEY_LIFE_HOURS}\n'
            for name, grade in GRADES.items()
        ]
        return "\n".join(tables)

    def _gateway_url(self, role: str, gateway: str) -> str:
        port = self.proxy.ports.get(f"{role}-{gateway}")
        return self.bank.url if port is None else f"http://127.0.0.1:{port}"

    def _environment(self, role: str) -> dict[str, str]:
        def port(target: str, direct: int) -> int:
            return self.proxy.ports.get(f"{role}-{target}", direct)

        database = self.url
        if (role_port := self.proxy.ports.get(f"{role}-postgres")) is not None:
            name = make_url(self.url).database
            database = f"postgresql+psycopg://postgres@127.0.0.1:{role_port}/{name}"
        return environment(
            self.folder,
            DATABASE_URL=database,
            REDIS_URL=f"redis://127.0.0.1:{port('valkey', self.valkey.port)}/0",
            SMTP_URL=f"smtp://127.0.0.1:{port('smtp', _port(self.sink.url))}?starttls=false",
            PORT=str(self._port),
            PYTHONPATH=str(self.folder),
            MONEYBACK_ENV="test",
            MONEYBACK_CONFIG=str(self.folder / f"{'moneyback' if role == CALLER else role}.toml"),
            MONEYBACK_NOTIFY_EMAILS=",".join(ADDRESSES),
            MONEYBACK_LEASE_SECONDS=str(LEASE_SECONDS),
            MONEYBACK_CALL_LIMIT_SECONDS=str(CALL_LIMIT_SECONDS),
            MONEYBACK_POLL_SECONDS=str(POLL_SECONDS),
            MONEYBACK_LOG_LEVEL="info",
            MONEYBACK_LOG_FORMAT="json",
            **{f"MONEYBACK_GATEWAY_{name.upper()}_API_KEY": "sandbox" for name in GRADES},
        )


_SESSIONS = text(
    """SELECT pid, application_name, state, wait_event_type, wait_event, pg_blocking_pids(pid),
    now() - xact_start AS since, left(query, 200) FROM pg_stat_activity WHERE datname IS NOT NULL"""
)

CALLER = "caller"
"""The role of one-off commands: they reach everything directly."""

_TOKEN = ["token", "create", "--name", "shop", "--scope", "write", "--json"]


def _port(url: str) -> int:
    port = make_url(url).port
    assert port is not None
    return port
