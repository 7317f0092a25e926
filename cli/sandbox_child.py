"""The sandbox gateway as a child process: it ends when its parent does, whatever ended that."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:  # the child needs neither
    from config.settings import Settings
    from refunds.gateways.sandbox_control import SandboxControl

GRACE_SECONDS = 2.0
"""After that it is killed, which its ledger survives: whoever stops it has little time left."""


class SandboxNotStartedError(Exception):
    """The child ended before it was ready; its words are on stderr."""


class SandboxChild:
    """A running sandbox server, its ledger in its own file."""

    def __init__(self, *, url: str, ledger: Path, latency_ms: int = 0) -> None:
        address = urlsplit(url)
        self.ledger = ledger
        port = 8010 if address.port is None else address.port
        arguments = [address.hostname or "127.0.0.1", str(port), str(ledger), str(latency_ms)]
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
            [sys.executable, "-m", "cli.sandbox_child", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        told = self._process.stdout.readline() if self._process.stdout else ""
        if not told.startswith("ready "):
            raise SandboxNotStartedError(f"the sandbox gateway could not be started at {url}")
        self.url = f"http://{arguments[0]}:{told.split()[1]}"

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def stop(self) -> None:
        """End it within a few seconds, by force if need be."""
        self._process.terminate()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                stream.close()


@contextmanager
def sandbox_control(settings: "Settings", *, start: bool) -> Iterator["SandboxControl | None"]:
    """The levers of the sandbox at its configured address, started as our child if none answers there.

    None where none answers and none is to be started. Raises SandboxNotStartedError.
    """
    from refunds.gateways.sandbox_control import SandboxControl  # noqa: PLC0415 - as above

    control = SandboxControl(settings.sandbox_url)
    child = None
    try:
        there = control.is_there()
        if not there and start:
            child = SandboxChild(url=settings.sandbox_url, ledger=settings.data_dir / "sandbox.db")
        yield control if there or start else None
    finally:
        control.close()
        if child is not None:
            child.stop()


def _end_with_parent() -> None:
    """The parent holds the other end of stdin; its end is ours."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def _tell(port: int) -> None:
    sys.stdout.write(f"ready {port}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the parent is gone."""
    from refunds.sandbox.server import run  # noqa: PLC0415 - the parent only needs the class

    host, port, ledger, latency_ms = sys.argv[1:5]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run(
        host=host,
        port=int(port),
        ledger=Path(ledger),
        latency_ms=int(latency_ms),
        ready=_tell,
    )


if __name__ == "__main__":
    main()
