"""`moneyback db`: the schema of the database."""

from typing import TYPE_CHECKING

import typer

from cli.exits import Exit
from cli.operate import Reason, checked
from cli.output import AsJson, emit_json, emit_record, say

if TYPE_CHECKING:
    from refunds.store.schema import SchemaStatus

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

app = typer.Typer(help="Bring the database to this version.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def upgrade(*, as_json: AsJson = False) -> int:
    """Migrate the database; safe to run again, and while others do the same."""
    from cli.opening import joined, settings_of_command
    from refunds.bootstrap import prepare_database

    with joined(settings_of_command()) as house:
        found = prepare_database(house)
    _emit(found, as_json=as_json)
    say("the database is at this version")
    return Exit.OK


@app.command()
def restored(*, reason: Reason, as_json: AsJson = False) -> int:
    """Say that an older backup of the database was restored; stop the workers first.

    From then on every refund that may still be paid is looked up before anything is sent, and where a gateway
    cannot be asked, a person is. New requests are looked up first too, for 30 days.
    """
    from cli.opening import caller, opened
    from refunds.flow.restore import note_restored

    why = checked(reason)
    with opened() as house:
        marked = note_restored(house.parts, by=caller(), why=why)
    if as_json:
        emit_json({"refunds": marked})
    say(f"{marked} refunds will be looked up before anything is sent; the workers may be started")
    say("next: moneyback doctor")
    return Exit.OK


@app.command()
def status(*, as_json: AsJson = False) -> int:
    """Tell where the database is: exit 0 if it is at this version, 1 if not, 6 if it cannot be reached."""
    from cli.opening import joined, settings_of_command
    from refunds.store import schema

    with joined(settings_of_command()) as house:
        found = schema.status(house.parts.database)
    _emit(found, as_json=as_json)
    if found.up_to_date:
        return Exit.OK
    say("next: moneyback db upgrade")
    return Exit.FAILED


def _emit(found: "SchemaStatus", *, as_json: bool) -> None:
    if as_json:
        emit_json({"current": found.current, "wanted": found.wanted, "up_to_date": found.up_to_date})
    else:
        emit_record([("current", found.current or "nothing"), ("wanted", found.wanted)])
