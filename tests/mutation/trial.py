"""One mutant on trial: a forked child imports the changed module and runs the tests, within a time limit."""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Literal

import pytest
from hypothesis import Phase, settings

from tests.mutation.operators import Mutant

Fate = Literal["killed", "killed by time", "survived", "broken"]

_OPTIONS = (
    *("-x", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--hypothesis-profile=mutants"),
    *("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),
)
_PASSED, _FAILED, _NOTHING_RUN = 0, 1, 5
_BROKEN = {3, 4, _NOTHING_RUN}


@dataclass(slots=True)
class Trial:
    """A mutant and how far it came. `tests` are the stages that are still to be survived."""

    mutant: Mutant
    stages: Sequence[Sequence[str]]
    stage: int = 0
    began: float = 0.0
    fate: Fate | None = None


def warm_up() -> None:
    """Import what every child needs and no mutant can change."""
    for plugin in entry_points(group="pytest11"):
        plugin.load()
    for name in _THIRD_PARTY:
        import_module(name)
    settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=50,
        phases=(Phase.explicit, Phase.generate),
    )
    gc.freeze()  # children that look for rubbish need not look at all of this


def judge_all(
    trials: Sequence[Trial], *, at_once: int, limit_seconds: float, told: Callable[[Trial], None]
) -> None:
    """Run trials in forked children until each has a fate; a child that overstays is ended with its group."""
    waiting, running = list(reversed(trials)), dict[int, Trial]()
    with _ended(running):
        while waiting or running:
            while waiting and len(running) < at_once:
                trial = waiting.pop()
                trial.began = time.monotonic()
                running[_fork(trial)] = trial
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid in running:
                trial = running.pop(pid)
                if _goes_on(trial, os.waitstatus_to_exitcode(status)):
                    waiting.append(trial)
                else:
                    told(trial)
                continue
            for pid, trial in running.items():
                if time.monotonic() - trial.began > limit_seconds and trial.fate is None:
                    trial.fate = "killed by time"
                    _end(pid)
            time.sleep(0.02)


def _goes_on(trial: Trial, code: int) -> bool:
    if trial.fate is not None:
        return False
    if code == _PASSED:
        trial.stage += 1
        if trial.stage < len(trial.stages):
            return True
        trial.fate = "survived"
    else:
        trial.fate = "broken" if code in _BROKEN else "killed"
    return False


def _fork(trial: Trial) -> int:
    pid = os.fork()
    if pid:
        with suppress(OSError):
            os.setpgid(pid, pid)
        return pid
    code = 70
    try:
        os.setpgid(0, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        source = compile(trial.mutant.source, trial.mutant.path, "exec")
        sys.meta_path.insert(0, _Changed(_module_name(trial.mutant.path), source))
        code = int(pytest.main([*_OPTIONS, *trial.stages[trial.stage]]))
    finally:
        os._exit(code)


def _module_name(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts)


@contextmanager
def _ended(running: dict[int, Trial]) -> Iterator[None]:
    try:
        yield
    finally:
        for pid in running:
            _end(pid)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


class _Changed(MetaPathFinder, Loader):
    """Gives the changed source where one module is imported, and nothing else."""

    def __init__(self, name: str, code: CodeType) -> None:
        self._name = name
        self._code = code

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """The one module."""
        return spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        """Run its changed source."""
        exec(self._code, module.__dict__)


_THIRD_PARTY = (
    "alembic.command",
    "anyio",
    "httpx",
    "hypothesis.stateful",
    "hypothesis.strategies",
    "iso4217",
    "jinja2",
    "psycopg",
    "pydantic",
    "redis",
    "rfc8785",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "structlog",
    "ulid",
    "apscheduler.schedulers.background",
)
