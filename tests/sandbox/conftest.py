import uuid
from collections.abc import Iterator

import pytest

from tests.sandbox.stage import Stage
from tests.sandbox_process import SandboxProcess, sandbox


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with sandbox(ledger=tmp_path_factory.mktemp("sandbox") / "ledger.sqlite") as running:
        yield running


@pytest.fixture
def stage(shared_sandbox: SandboxProcess) -> Iterator[Stage]:
    """A fresh payment; whatever a test did to clock, latency and default script is undone after it."""
    fresh = Stage(shared_sandbox, f"tx_{uuid.uuid4().hex[:12]}")
    fresh.put()
    yield fresh
    shared_sandbox.set_clock(offset_seconds=0)
    shared_sandbox.default_script()
    shared_sandbox.call("PUT", "/sandbox/latency", {"ms": 0})
