"""One process of ours that is killed, frozen, stopped and started again, by its own process id."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.command import COMMAND

READY_SECONDS = 30.0
STOP_SECONDS = 30.0
_LOOK_SECONDS = 0.05
_SLOW_STOP_SECONDS = 15.0
"""After so long it is asked where its threads are."""

TELLS_STACKS = "import faulthandler, signal\nfaulthandler.register(signal.SIGUSR1, all_threads=True)\n"
"""A `sitecustomize` that makes any Python process say so on SIGUSR1, and changes nothing else."""

_READY = (b'"worker.started"', b'"scheduler.started"', b"Application startup complete", b"Uvicorn running")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process answered SIGTERM; `code` is None where it had to be killed after STOP_SECONDS."""

    process: str
    code: int | None
    seconds: float
    words: str
    """Its log, for whoever has to find out why; with the stacks of its threads if it took long."""


@dataclass
class Resident:
    """A command that is to run. One thing at a time is done to it: `held` guards it."""

    name: str
    role: str
    environment: Mapping[str, str]
    folder: Path
    held: threading.Lock = field(default_factory=threading.Lock)
    _process: subprocess.Popen[bytes] | None = None
    _log_start: int = 0

    @property
    def log(self) -> Path:
        """What it wrote, over all its lives."""
        return self.folder / f"{self.name}.log"

    @property
    def alive(self) -> bool:
        """It runs, or is frozen."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of its present life, or its last."""
        return 0 if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it where it does not run; returns at once."""
        if self.alive:
            return
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [*COMMAND, self.role],
                env=dict(self.environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self, *, seconds: float = READY_SECONDS) -> bool:
        """Wait until it says that it works; False if it does not in time."""
        pause, deadline = threading.Event(), time.monotonic() + seconds
        while time.monotonic() < deadline and self.alive:
            if any(word in self._said() for word in _READY):
                return True
            pause.wait(_LOOK_SECONDS)
        return False

    def kill(self) -> bool:
        """SIGKILL; False if it was not running."""
        if self._process is None or not self.alive:
            return False
        self._process.kill()
        self._process.wait(30)
        return True

    def freeze(self, seconds: float) -> bool:
        """SIGSTOP, and SIGCONT so much later; False if it was not running before and after."""
        if self._process is None or not self.alive:
            return False
        self._process.send_signal(signal.SIGSTOP)
        threading.Event().wait(seconds)
        self._process.send_signal(signal.SIGCONT)
        return self.alive

    def terminate(self, *, when_slow: Callable[[], str] = str) -> Ending:
        """SIGTERM, and what followed; `when_slow` says what else is to be known of a stop that takes long."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        code: int | None = None
        known = ""
        try:
            code = self._process.wait(_SLOW_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGUSR1)
            known = when_slow()
            try:
                code = self._process.wait(STOP_SECONDS - _SLOW_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(30)
        words = self._said().decode("utf-8", "replace") + known
        return Ending(self.name, code, time.monotonic() - began, words)

    def end(self) -> None:
        """Kill it, frozen or not, whatever it does."""
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait(30)

    def _said(self) -> bytes:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()
