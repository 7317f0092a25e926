"""A data folder with a house of its own, and the command run on it in this process."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from cli.main import app
from config.settings import load
from refunds.bootstrap import House, open_house
from refunds.flow.days import let_days_pass, settle_down
from refunds.flow.dispatch import Dispatcher
from tests.sandbox_process import SandboxProcess


@dataclass(frozen=True)
class Stage:
    """Runs `moneyback` on one data folder."""

    folder: Path
    env: dict[str, str]

    def run(self, *arguments: str, stdin: str | None = None, **variables: str) -> Result:
        """The command in this process; `exit_code`, `stdout` and `stderr` as a shell would see them."""
        return CliRunner().invoke(app, arguments, input=stdin, env={**self.env, **variables})

    def json(self, *arguments: str, stdin: str | None = None) -> Any:
        """What a successful command with --json printed."""
        done = self.run(*arguments, "--json", stdin=stdin)
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def create(self, name: str, *, captured: str = "255.00", **fields: Any) -> str:
        """A refund of a payment that comes along with it; its id."""
        payment = {
            "order_id": f"order-{name}",
            "transaction_id": f"pay_{name}",
            "captured_amount": captured,
            "currency": "GBP",
        }
        request = {"amount": "12.75", "currency": "GBP", "payment": payment, **fields}
        document = self.json("refund", "create", "--file", "-", "--key", name, stdin=json.dumps(request))
        return str(document["id"])

    @contextmanager
    def opened(self) -> Iterator[House]:
        """The parts, closed at the end of the block."""
        house = open_house(load(environ=self.env), role="test")
        try:
            yield house
        finally:
            house.close()

    def work(self, sandbox: SandboxProcess, *, until_final: bool) -> None:
        """Let a worker try what is due, once or until every refund is final."""
        with self.opened() as house:
            dispatcher = Dispatcher(house.parts)
            dispatcher.start()

            def move(ahead: timedelta) -> None:
                sandbox.set_clock(offset_seconds=ahead.total_seconds())

            try:
                if until_final:
                    let_days_pass(house.parts, move_gateway_clock=move, patience_seconds=20)
                else:
                    settle_down(house.parts, patience_seconds=20)
            finally:
                dispatcher.stop(within_seconds=10)


def stage(folder: Path, **variables: str) -> Stage:
    """A stage on a folder that is made when first used."""
    return Stage(folder, {"MONEYBACK_DATA_DIR": str(folder), **variables})
