"""The blocks that people copy out of the documents do what the page says, run as they stand."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.command import COMMAND, environment
from tests.docs.pages import blocks, page
from tests.house_of import eventually
from tests.servers.program import Program, free_port
from tests.servers.valkey import ValkeyServer

_REDIS_CLI = f"""#!{sys.executable}
import sys, redis
flag, url, *command = sys.argv[1:]
assert flag == "-u"
redis.Redis.from_url(url).execute_command(*command)
"""
"""Stands in for redis-cli, which need not be installed where the tests run."""


@dataclass(frozen=True, slots=True)
class Up:
    """A running `moneyback up`, started in an empty folder with nothing set but its ports."""

    folder: Path
    url: str
    sandbox_url: str
    env: dict[str, str]

    def shell(self, block: str) -> str:
        """Run a block in the folder, against this process's ports; its output."""
        script = block.replace("http://127.0.0.1:8000", self.url)
        script = script.replace("http://127.0.0.1:8010", self.sandbox_url)
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refunds(self) -> list[dict[str, Any]]:
        """Every refund, newest first."""
        token = (self.folder / "moneyback-data" / "token").read_text().strip()
        answer = httpx.get(f"{self.url}/v1/refunds", headers={"Authorization": f"Bearer {token}"})
        items: list[dict[str, Any]] = answer.json()["items"]
        return items


@contextmanager
def _up(folder: Path, **variables: str) -> Iterator[Up]:
    port, sandbox_port = free_port(), free_port()
    sandbox_url, url = f"http://127.0.0.1:{sandbox_port}", f"http://127.0.0.1:{port}"
    env = environment(folder, PORT=str(port), MONEYBACK_SANDBOX_URL=sandbox_url, **variables)
    del env["MONEYBACK_DATA_DIR"]
    env["PATH"] = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), env["PATH"]])
    program = Program([*COMMAND, "up"], log=folder / "up.log", folder=folder, environment=env)
    try:
        program.wait_until(lambda: _is_ready(url))
        yield Up(folder, url, sandbox_url, env)
    finally:
        program.end(signal.SIGTERM, timeout_seconds=30)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _block(path: str, language: str, *, holding: str) -> str:
    (found,) = [block for block in blocks(page(path), language) if holding in block]
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_line_of_the_readme_is_answered_202_and_its_repeat_the_same(tmp_path: Path) -> None:
    block = _block("README.md", "sh", holding="/v1/refunds").rstrip() + " -w '\\n%{http_code}'"
    with _up(tmp_path) as up:
        answers = [up.shell(block).rpartition("\n") for _ in range(2)]
        assert [status for _, _, status in answers] == ["202", "202"]
        first, again = (json.loads(body) for body, _, _ in answers)
        assert first["amount"] == "12.75"
        assert again["id"] == first["id"]
        eventually(lambda: [refund["status"] for refund in up.refunds()] == ["refunded"])
        script = _block("docs/gateways/sandbox.md", "sh", holding="/sandbox/payments")
        assert json.loads(up.shell(script)) == {"payments": 1}


def test_both_ways_to_send_a_message_become_refunds(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "redis-cli"
    stand_in.write_text(_REDIS_CLI)
    stand_in.chmod(0o755)
    (tmp_path / "send.py").write_text(_block("docs/message-intake.md", "python", holding="enqueue"))
    with ValkeyServer() as server, _up(tmp_path, REDIS_URL=server.url(0)) as up:
        up.shell("python send.py")
        eventually(lambda: [refund["amount"] for refund in up.refunds()] == ["12.75"])
        up.shell(_block("docs/message-intake.md", "sh", holding="RPUSH"))
        eventually(lambda: [refund["amount"] for refund in up.refunds()] == ["5.00", "12.75"])
        eventually(lambda: {refund["status"] for refund in up.refunds()} == {"refunded"})
