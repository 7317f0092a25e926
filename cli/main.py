"""The `moneyback` command: entrances, commands, and how each of them ends."""

import ipaddress
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli import db, demo, doctor, gateway, memo, queue, refund, replay, token
from cli.exits import CommandError, Exit, foreseen
from cli.output import say

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

_SHORT_HELP = """\
moneyback pays refunds back: one try at once, one more a day for three days, then it tells people.

  moneyback up
      run everything in one process: nothing to install, nothing to set
  moneyback refund create --order 536379 --amount 12.75 --currency GBP --reason "parcel came back"
      hand over a refund

moneyback --help lists every command."""


class _Ending(TyperGroup):
    """Turns what a command returns or raises into an exit code and words; never a traceback on the way."""

    def invoke(self, ctx: Any) -> Any:
        try:
            code = super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
            raise
        except Exception as error:
            ended = foreseen(error)
            if ended is None:
                _log_unforeseen(error)
                raise typer.Exit(Exit.FAILED) from error
            for line in ended.lines:
                say(line)
            raise typer.Exit(ended.code) from error
        raise typer.Exit(code or Exit.OK)


app = typer.Typer(
    cls=_Ending,
    name="moneyback",
    help="Durable refunds: pays once, tries again once a day for three days, then tells someone.",
    epilog="Exit codes: 0 ok, 1 failed, 2 usage or invalid input, 3 not found, 4 refused by state or balance,"
    " 6 a dependency is down.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def main() -> None:
    """Run the command line of this process and exit."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets its escape, not a crash.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    app(prog_name="moneyback")


def _version(value: bool) -> None:  # noqa: FBT001 - Typer's form of a callback
    if value:
        from importlib.metadata import version

        typer.echo(f"moneyback {version('moneyback')}")
        raise typer.Exit


@app.callback()
def _bare(
    ctx: typer.Context,
    *,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        typer.echo(_SHORT_HELP)


@app.command()
def up() -> int:
    """Run everything in one process, with nothing to set.

    Web, worker and scheduler on an SQLite file, the sandbox gateway as a child, mail as files.
    """
    from cli.opening import settings_of_process
    from cli.up import run

    return run(settings_of_process())


@app.command()
def web() -> int:
    """Run the HTTP API and the console."""
    from cli.opening import settings_of_process
    from web.serve import run

    return run(settings_of_process())


@app.command()
def worker() -> int:
    """Run the process that asks the gateways."""
    from cli.opening import settings_of_process
    from worker.main import run

    return run(settings_of_process())


@app.command()
def scheduler() -> int:
    """Run the process that keeps time and sends mail."""
    from cli.opening import settings_of_process
    from scheduler.main import run

    return run(settings_of_process())


@app.command()
def sandbox(
    *,
    host: Annotated[str, typer.Option(help="A loopback address: the sandbox knows no real credentials.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8010,
    ledger: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False, help="The sandbox's own file.", show_default="sandbox.db in the data folder"
        ),
    ] = None,
    latency_ms: Annotated[int, typer.Option(min=0, max=60_000, help="Wait this long in every call.")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse payments that were not put in.")] = False,
) -> int:
    """Run the sandbox gateway, which pays nobody."""
    from cli.opening import settings_of_process
    from refunds.sandbox.server import run

    settings = settings_of_process()
    if settings.environment == "production":
        raise CommandError(Exit.USAGE, "the sandbox gateway pays nobody and is refused in production")
    if not _is_loopback(host):
        raise typer.BadParameter("must be a loopback address such as 127.0.0.1", param_hint="--host")
    file = ledger or settings.data_dir / "sandbox.db"
    try:
        run(
            host=host,
            port=port,
            ledger=file,
            latency_ms=latency_ms,
            strict=strict,
            ready=lambda real: say(f"sandbox gateway at http://{host}:{real}, its ledger is {file}"),
        )
    except OSError as error:
        raise CommandError(Exit.FAILED, f"the sandbox gateway cannot start: {error}") from error
    return Exit.OK


app.command("queue")(queue.command)
app.command("doctor")(doctor.command)
app.command("replay")(replay.command)
app.command("memo")(memo.command)
app.command("demo")(demo.command)
app.add_typer(refund.app, name="refund")
app.add_typer(token.app, name="token")
app.add_typer(gateway.app, name="gateway")
app.add_typer(db.app, name="db")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _log_unforeseen(error: Exception) -> None:
    import structlog

    from config.logging import configure

    if not structlog.is_configured():
        configure(log_format="auto", level="info")
    structlog.get_logger(__name__).error("command.failed", error=type(error).__name__, exc_info=error)
