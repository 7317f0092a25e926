"""The sandbox gateway as a real child process, for every test that needs a platform to talk to."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

_PROGRAM = """
import sys
from pathlib import Path
from refunds.sandbox.server import run

run(
    host="127.0.0.1",
    port=0,
    ledger=Path(sys.argv[1]),
    strict=sys.argv[2] == "strict",
    latency_ms=int(sys.argv[3]),
    ready=lambda port: print(port, flush=True),
)
"""
_ROOT = Path(__file__).parents[1]
_WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back; `body` is the parsed JSON."""

    status: int
    headers: HTTPMessage
    body: Any


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A running sandbox; `url` has no slash at its end."""

    url: str
    ledger: Path
    pid: int
    process: subprocess.Popen[str]

    def put_payments(self, payments: Sequence[Mapping[str, object]]) -> None:
        """Put payments in: `transaction_id`, `currency`, `captured_minor`, and more as the sandbox takes."""
        self._do("PUT", "/sandbox/payments", payments)

    def script(self, transaction_id: str, *steps: Mapping[str, object]) -> None:
        """Replace the script of one payment."""
        self._do("PUT", f"/sandbox/payments/{transaction_id}/script", {"steps": steps})

    def default_script(self, *steps: Mapping[str, object]) -> None:
        """Replace the script of all payments without one of their own; no steps: behave."""
        self._do("PUT", "/sandbox/default-script", {"steps": steps} if steps else None)

    def set_clock(self, *, offset_seconds: float) -> None:
        """Put the sandbox's clock so far ahead of the machine's; what is due by then happens."""
        self._do("PUT", "/sandbox/clock", {"offset_seconds": offset_seconds})

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_seconds: float = _WAIT_SECONDS,
    ) -> HttpAnswer:
        """One request on a connection of its own, with a token unless `headers` says otherwise."""
        host = self.url.removeprefix("http://")
        connection = HTTPConnection(host, timeout=timeout_seconds)
        try:
            content = json.dumps(body).encode()
            connection.request(method, path, content, {"Authorization": "Bearer sandbox", **(headers or {})})
            response = connection.getresponse()
            return HttpAnswer(response.status, response.headers, json.loads(response.read()))
        finally:
            connection.close()

    def stop(self) -> int:
        """End it as systemd would; its exit code."""
        self.process.terminate()
        return self.process.wait(_WAIT_SECONDS)

    def kill(self) -> None:
        """End it as an out-of-memory killer would."""
        self.process.kill()
        self.process.wait(_WAIT_SECONDS)

    def _do(self, method: str, path: str, body: object) -> None:
        answer = self.call(method, path, body)
        assert answer.status == 200, answer


@contextmanager
def sandbox(*, ledger: Path, strict: bool = False, latency_ms: int = 0) -> Iterator[SandboxProcess]:
    """A sandbox on a free loopback port, ended on the way out if it still runs."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(ledger), "strict" if strict else "open", str(latency_ms)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().strip()
            assert port, "the sandbox did not start"
            yield SandboxProcess(f"http://127.0.0.1:{port}", ledger, process.pid, process)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(_WAIT_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
