"""One server program as a child of the test process: begun, waited for, ended by its own process id."""

import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_LOOK_AGAIN_SECONDS = 0.005
_LOG_TAIL_CHARS = 2_000


class ServerError(Exception):
    """A test server that did not come up or did not go; the message ends in its own last words."""


class Program:
    """A running child whose output is added to `log`.

    It leads a process group of its own: Ctrl-C reaches the tests, which then end it in good order.
    `held` gives it an open standard input that closes when the test process is gone, however it went.
    `user` and `group` are ids to run as, without any group of ours; only root can ask for them.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        held: bool = False,
        user: int | None = None,
        group: int | None = None,
    ) -> None:
        self._log = log
        self._began = time.monotonic()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if held else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, timeout_seconds: float = 30) -> float:
        """Wait for a fact; returns the seconds since the start.

        Raises ServerError when the child ends first or the time is up.
        """
        while not ready():
            seconds = time.monotonic() - self._began
            if seconds > timeout_seconds:
                self.end(signal.SIGKILL)
                raise self._error(f"was not ready after {seconds:.1f} s")
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(_LOOK_AGAIN_SECONDS)
                raise self._error(f"ended with {code} before it was ready")
        return time.monotonic() - self._began

    def finish(self, *, timeout_seconds: float = 30) -> None:
        """Wait for a child that ends by itself; raises ServerError unless it ends with 0 in time."""
        try:
            code = self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self.end(signal.SIGKILL)
            raise self._error(f"did not finish in {timeout_seconds} s") from None
        if code != 0:
            raise self._error(f"ended with {code}")

    def end(self, how: signal.Signals, *, timeout_seconds: float = 15) -> None:
        """End it by this signal. One that does not go in time is killed, and ServerError raised."""
        self._process.send_signal(how)
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise self._error(f"ignored {how.name} for {timeout_seconds} s") from None

    def _error(self, what: str) -> ServerError:
        words = self._log.read_text(errors="replace")[-_LOG_TAIL_CHARS:]
        return ServerError(f"{self._process.args!r} {what}; its last words:\n{words}")


def free_port() -> int:
    """A loopback TCP port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
