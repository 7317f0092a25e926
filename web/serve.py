"""The web process: the application behind uvicorn, from the settings to the exit code."""

import signal
import socket
from contextlib import suppress
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from config.settings import Settings
from refunds.bootstrap import House, open_house, prepare_database
from refunds.process import refuse_unsafe_database
from refunds.store.database import DatabaseUnavailableError
from web.api.app import create_app

log = structlog.get_logger(__name__)

BROKER_TIMEOUT_SECONDS = 1.0


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; 0 when all answers were given, 1 when it could not listen or cut work.

    An SQLite database is migrated first; any other is served as it is: /readyz is 503 until somebody has
    migrated it. A stop drains for `Settings.shutdown_seconds`, a second signal ends it at once. Raises
    DatabaseUnavailableError when the SQLite file cannot be used, and UnsafeDatabaseError for a database that
    may lose commits.
    """
    house = open_house(settings, role="web", socket_timeout_seconds=BROKER_TIMEOUT_SECONDS)
    try:
        server = build_server(create_app(house.parts), settings.host, settings.port)
        for number in (signal.SIGTERM, signal.SIGINT):  # while it migrates too
            signal.signal(number, server.handle_exit)
        if settings.embedded_database:
            prepare_database(house)
        else:
            _refuse_unsafe(house)
        server.run()
        return 0 if server.started and not server.cut_work else 1
    finally:
        house.close()


def _refuse_unsafe(house: House) -> None:
    try:
        refuse_unsafe_database(house.parts)
    except DatabaseUnavailableError as error:  # it serves all the same, and says so at /readyz
        log.warning("process.waits", reason=str(error))


def build_server(app: FastAPI, host: str, port: int) -> "Server":
    """A server for this process, not started: `run()` it, on any thread; `should_exit = True` drains it."""
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=Settings.shutdown_seconds,
        ),
    )


class Server(uvicorn.Server):
    """uvicorn's server, which also tells where it listens and whether its end cut anything off.

    On the main thread it takes SIGTERM and SIGINT while it serves, and unlike uvicorn's does not raise them
    again at its end: whoever called `run` has an end of its own to bring about.
    """

    cut_work = False

    @property
    def port(self) -> int:
        """The port it listens on, once `started`; it matters where port 0 was asked for."""
        port: int = self.servers[0].sockets[0].getsockname()[1]
        return port

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop. Where it cannot listen it logs why and returns, not `started`."""
        with suppress(SystemExit):
            super().run(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; the second time: stop waiting."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain. What is still running when it returns is being cancelled."""
        await super().shutdown(sockets)
        self.cut_work = bool(self.server_state.tasks)
