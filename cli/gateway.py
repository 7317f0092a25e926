"""`moneyback gateway`: what each gateway can do, whether it is well, and the kill switch."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Exit, refused
from cli.operate import Reason, checked
from cli.output import AsJson, emit_json, emit_table, say
from refunds.flow.refusal import Refusal

if TYPE_CHECKING:
    from refunds.flow.pauses import GatewayState
    from refunds.store.lanes import Lane

# Whatever is dear to import is imported by the command that needs it, so that help comes at once.
# ruff: noqa: PLC0415

app = typer.Typer(
    help="See the gateways, ask whether they are well, stop and start new attempts.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str | None, typer.Argument(metavar="NAME", help="A gateway.", show_default=False)]
Everything = Annotated[bool, typer.Option("--all", help="Every gateway, those to come included.")]


@app.command("list")
def list_(*, as_json: AsJson = False) -> int:
    """List every gateway: its grade, what it can do, and whether attempts may begin."""
    from cli.opening import opened
    from refunds.flow.pauses import gateway_states

    with opened() as house:
        states, real = gateway_states(house.parts)
    if as_json:
        emit_json({"items": [_document(state) for state in states]})
        return Exit.OK
    emit_table(
        ("gateway", "grade", "abilities", "state", "why"),
        [(state.name, *_abilities(state), *_standing(state, real)) for state in states],
    )
    return Exit.OK


@app.command()
def check(name: Name = None, *, every: Everything = False, as_json: AsJson = False) -> int:
    """Ask gateways by a harmless read with our credentials; exit 6 if one is not well."""
    from cli.opening import opened
    from refunds.flow.examine import check_gateways
    from refunds.flow.pauses import unknown_gateway

    with opened() as house:
        known = {
            gateway: part
            for gateway, part in sorted(house.parts.gateways.items())
            if every or name in {None, gateway}
        }
        if not known:
            raise refused(unknown_gateway(house.parts, name or ""))
        limit = house.parts.call_limit.total_seconds()
        found = asyncio.run(check_gateways(known, within_seconds=limit))
    if as_json:
        items = [
            {"gateway": gateway, "ok": wrong is None, "wrong": wrong} for gateway, wrong in found.items()
        ]
        emit_json({"items": items})
    else:
        emit_table(("gateway", "answer"), [(gateway, wrong or "well") for gateway, wrong in found.items()])
    return Exit.DOWN if any(found.values()) else Exit.OK


@app.command()
def pause(name: Name = None, *, reason: Reason, every: Everything = False, as_json: AsJson = False) -> int:
    """Begin no new attempts at a gateway, everywhere, at once.

    What waits, waits, and uses up no try; what is under way ends by itself; look-ups go on.
    """
    from cli.opening import caller, opened
    from refunds.flow.pauses import pause as pause_gateway
    from refunds.store.types import instant_text

    why, gateway = checked(reason), _named(name, every=every)
    with opened() as house:
        done = pause_gateway(house.parts, gateway, actor=caller(), reason=why)
    if isinstance(done, Refusal):
        raise refused(done)
    if as_json:
        at = instant_text(done.at)
        emit_json({"gateway": done.gateway, "paused_by": done.by, "reason": done.reason, "paused_at": at})
    say(f"paused: no attempt begins at {_spoken(gateway)}; by {done.by}: {done.reason}")
    say(f"next: moneyback gateway resume {_argument(gateway)}")
    return Exit.OK


@app.command()
def resume(name: Name = None, *, every: Everything = False, as_json: AsJson = False) -> int:
    """Let attempts begin again; what waits goes on at once. A pause of --all is ended by --all alone."""
    from cli.opening import caller, opened
    from refunds.flow.pauses import gateway_states
    from refunds.flow.pauses import resume as resume_gateway

    gateway = _named(name, every=every)
    with opened() as house:
        done = resume_gateway(house.parts, gateway, actor=caller())
        states, _ = gateway_states(house.parts)
    if isinstance(done, Refusal):
        raise refused(done)
    if as_json:
        emit_json({"gateway": gateway, "was_paused": done})
    left = [(each.name, pause) for each in states for pause in each.pauses if every or each.name == gateway]
    if not done:
        say(f"{_spoken(gateway)} was not paused")
    elif not left:
        say(f"attempts begin again at {_spoken(gateway)}")
    for paused, pause in left:
        say(f"{paused} stays paused, by {pause.by}: {pause.reason}")
    next_act = f"resume {_argument(left[0][1].gateway)}" if left else "list"
    say(f"next: moneyback gateway {next_act}")
    return Exit.OK


def _named(name: str | None, *, every: bool) -> str:
    from refunds.store.lanes import EVERY_GATEWAY

    if (name is None) is not every:
        raise typer.BadParameter("name one gateway, or say --all", param_hint="NAME")
    return name or EVERY_GATEWAY


def _argument(gateway: str) -> str:
    from refunds.store.lanes import EVERY_GATEWAY

    return "--all" if gateway == EVERY_GATEWAY else gateway


def _spoken(gateway: str) -> str:
    from refunds.store.lanes import EVERY_GATEWAY

    return "any gateway" if gateway == EVERY_GATEWAY else gateway


def _abilities(state: "GatewayState") -> tuple[str, str]:
    if state.abilities is None:
        return "", "not configured here"
    from refunds.flow.examine import told_abilities

    return state.abilities.grade.value, told_abilities(state.abilities)


def _standing(state: "GatewayState", real: datetime) -> tuple[str, str]:
    if state.pauses:
        pause = state.pauses[0]
        return "paused", f"{pause.by}: {pause.reason}"
    closed = [lane for lane in state.lanes if lane.closed_until is not None]
    if closed:
        return "closed", "; ".join(_trouble(lane, real) for lane in closed)
    if any(lane.reopening is not None for lane in state.lanes):
        return "reopening", ""
    return "open", ""


def _trouble(lane: "Lane", real: datetime) -> str:
    from cli.wording import from_now

    due = from_now(lane.closed_until, real) if lane.closed_until else ""
    return f"account {lane.account}: {lane.failures} troubles in a row, probed {due}"


def _document(state: "GatewayState") -> dict[str, object]:
    from refunds.store.types import instant_text

    can = state.abilities
    return {
        "gateway": state.name,
        "configured": can is not None,
        "grade": can.grade.value if can else None,
        "look_up": can.look_up if can else None,
        "key_life_seconds": can.key_life.total_seconds() if can and can.key_life else None,
        "settling_seconds": can.settling.total_seconds() if can else None,
        "final_within_seconds": can.final_within.total_seconds() if can else None,
        "paused": [
            {
                "gateway": pause.gateway,
                "by": pause.by,
                "reason": pause.reason,
                "at": instant_text(pause.at),
            }
            for pause in state.pauses
        ],
        "lanes": [
            {
                "account": lane.account,
                "open": lane.is_open,
                "failures": lane.failures,
                "closed_until": instant_text(lane.closed_until) if lane.closed_until else None,
                "reopening": lane.reopening,
            }
            for lane in state.lanes
        ],
    }
