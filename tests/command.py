"""The real `moneyback` command in real processes, with an environment of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV")
COMMAND = [sys.executable, "-m", "cli"]


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """An environment with nothing of ours but what is named; the data folder is `folder`."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return kept | {"MONEYBACK_DATA_DIR": str(folder), "MONEYBACK_LOG_LEVEL": "warning"} | variables


def run(
    *arguments: str | Path, env: Mapping[str, str], timeout_seconds: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=dict(env),
        cwd=env["MONEYBACK_DATA_DIR"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_seconds,
        check=False,
    )


@contextmanager
def running(*arguments: str | Path, env: Mapping[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A command that runs until the block ends (then it is killed, if it has not ended), output in `log`."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            env=dict(env),
            cwd=env["MONEYBACK_DATA_DIR"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=30)


def terminate(process: subprocess.Popen[bytes], *, within_seconds: float = 30) -> int:
    """SIGTERM, and the exit code that follows."""
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=within_seconds)
