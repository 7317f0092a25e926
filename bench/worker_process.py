"""The two that are compared, as processes: moneyback's own worker, and the hand-written dramatiq actor."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import redis

from bench.servers import ROOT, DatabaseHandle, GatewayProcess, Servers

Subject = Literal["moneyback", "actor"]

ACTOR_THREADS = 32
_ACTOR_DB = 1
_STOP_SECONDS = 30
_LAST_WORDS = 4_000


class DrainError(Exception):
    """A worker died, stood still, or its rows do not say what they should."""


@contextmanager
def worker(
    subject: Subject,
    servers: Servers,
    *,
    database: DatabaseHandle,
    gateway: GatewayProcess,
    in_flight: int | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """One worker process at work on whatever is due; ended in good order on the way out.

    `in_flight` limits moneyback's calls, None leaves its default. The actor's messages are all sent before
    it starts.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{subject}-", dir=servers.folder))
    if subject == "moneyback":
        environment = _settings(servers, database, gateway, folder=folder, in_flight=in_flight)
        command = [sys.executable, "-c", "from cli.main import main; main()", "worker"]
    else:
        environment = actor_environment(servers, database, gateway)
        subprocess.run(
            [sys.executable, "-m", "bench.actor", "enqueue"],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        threads = str(ACTOR_THREADS)
        command = [sys.executable, "-m", "dramatiq", "bench.actor", "--processes", "1", "--threads", threads]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        yield process
    except DrainError as error:
        raise DrainError(
            f"{error}; its last words:\n{(folder / 'log').read_text()[-_LAST_WORDS:]}"
        ) from error
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def actor_environment(servers: Servers, database: DatabaseHandle, gateway: GatewayProcess) -> dict[str, str]:
    """What `bench.actor` reads as it is imported; its broker starts empty."""
    with redis.Redis.from_url(servers.valkey.url(_ACTOR_DB)) as client:
        client.flushdb()
    return {
        **os.environ,
        "BENCH_DATABASE_DSN": database.dsn,
        "BENCH_GATEWAY_URL": gateway.url,
        "BENCH_REDIS_URL": servers.valkey.url(_ACTOR_DB),
    }


def _settings(
    servers: Servers,
    database: DatabaseHandle,
    gateway: GatewayProcess,
    *,
    folder: Path,
    in_flight: int | None,
) -> dict[str, str]:
    lines = ["[gateways.sandbox]", 'kind = "sandbox"', f'base_url = "{gateway.url}"']
    if in_flight is not None:
        lines.append(f"max_in_flight = {in_flight}")
    config = folder / "moneyback.toml"
    config.write_text("\n".join(lines) + "\n")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("MONEYBACK_")},
        "DATABASE_URL": database.url,
        "REDIS_URL": servers.valkey.url(0),
        "MONEYBACK_CONFIG": str(config),
        "MONEYBACK_DATA_DIR": str(folder),
        "MONEYBACK_GATEWAY_SANDBOX_API_KEY": "sandbox",
    }
