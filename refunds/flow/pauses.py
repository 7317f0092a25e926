"""Pauses: the kill switch. A paused gateway begins no attempt, in any account and any process."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog

from refunds.domain.abilities import Abilities
from refunds.flow.parts import Parts
from refunds.flow.refusal import Cause, Refusal
from refunds.store import lanes
from refunds.store.database import real_now
from refunds.store.lanes import EVERY_GATEWAY, Lane, Pause

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayState:
    """One gateway as it stands. `abilities` None: not configured here, but refunds know it."""

    name: str
    abilities: Abilities | None
    lanes: tuple[Lane, ...]
    pauses: tuple[Pause, ...]
    """Its own, and the one of every gateway."""


def pause(parts: Parts, gateway: str, *, actor: str, reason: str) -> Pause | Refusal:
    """Begin no attempt at this gateway (`*`: at any) until it is resumed. What is under way ends by itself.

    Committed when this returns: nothing is sent from then on but what was about to be, which is held back
    within a second or two. Paused before: that pause stays as it was.
    """
    unknown = _unknown(parts, gateway)
    if unknown is not None:
        return unknown
    with parts.database.begin() as tx:
        new = lanes.pause(tx, gateway, by=actor, reason=reason, real=real_now(tx))
        standing = {each.gateway: each for each in lanes.get_pauses(tx)}[gateway]
    if new:
        log.warning("gateway.paused", gateway=gateway, by=actor, reason=reason)
    return standing


def resume(parts: Parts, gateway: str, *, actor: str) -> bool | Refusal:
    """Let attempts begin again; False: it was not paused. What waits goes on at once."""
    unknown = _unknown(parts, gateway)
    if unknown is not None:
        return unknown
    with parts.database.begin() as tx:
        was_paused = lanes.resume(tx, gateway)
        rung = [lane for lane in lanes.get_all(tx) if gateway in {EVERY_GATEWAY, lane.gateway}]
    if was_paused:
        log.warning("gateway.resumed", gateway=gateway, by=actor)
    for lane in rung:
        parts.wakeup.ring(lane.account, lane.gateway)
    return was_paused


def gateway_states(parts: Parts) -> tuple[list[GatewayState], datetime]:
    """Every gateway that is configured here or that refunds know, and the database's real clock."""
    with parts.database.read() as tx:
        every, paused, real = lanes.get_all(tx), lanes.get_pauses(tx), real_now(tx)
    abilities: Mapping[str, Abilities] = {
        name: part.gateway.abilities for name, part in parts.gateways.items()
    }
    names = sorted({*abilities, *(lane.gateway for lane in every)})
    return [
        GatewayState(
            name=name,
            abilities=abilities.get(name),
            lanes=tuple(lane for lane in every if lane.gateway == name),
            pauses=tuple(each for each in paused if each.gateway in {name, EVERY_GATEWAY}),
        )
        for name in names
    ], real


def _unknown(parts: Parts, gateway: str) -> Refusal | None:
    if gateway == EVERY_GATEWAY or gateway in parts.gateways:
        return None
    with parts.database.read() as tx:
        if any(lane.gateway == gateway for lane in lanes.get_all(tx)):
            return None
    return unknown_gateway(parts, gateway)


def unknown_gateway(parts: Parts, gateway: str) -> Refusal:
    """There is no such gateway; these there are."""
    detail = f"there is no gateway {gateway!r}; there are {', '.join(sorted(parts.gateways)) or 'none'}"
    return Refusal.of(Cause.GATEWAY_UNKNOWN, "/gateway", detail)
