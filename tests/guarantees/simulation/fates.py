"""Fates drawn by chance: the steps that the money requests of one payment will meet."""

import random
from collections.abc import Sequence
from dataclasses import replace

from refunds.domain.abilities import Grade
from refunds.domain.outcome import Reason
from tests.guarantees.simulation.steps import PAY, Act, Fault, Moves, Step, declined

LATEST_SECONDS = 600.0
"""A late commit comes at most this late: the settling time that the bank declares."""

_LATENCIES = (0.05, 0.05, 0.2, 1.0, 5.0)


def any_fate(chance: random.Random, grade: Grade) -> tuple[Step, ...]:
    """A life full of trouble; about two in five lose an answer after the money moved."""
    luck = chance.random()
    if luck < 0.42:
        return unclear_after_the_money(chance)
    if luck < 0.62:
        return unclear_fate(chance)
    if luck < 0.69:
        told_late = luck < 0.66 and grade in {Grade.KEY_AND_LOOK_UP, Grade.LOOK_UP}
        return taken_back_fate(chance) if told_late else unclear_at_the_last(chance)
    if luck < 0.80:
        return declined_fate(chance)
    if luck < 0.88:
        return (*(turned_away(chance) for _ in range(chance.randint(1, 3))), PAY)
    if luck < 0.95:
        return accepted_fate(chance)
    if grade in {Grade.KEY_AND_LOOK_UP, Grade.KEY}:
        return (Step(gate_seconds=chance.uniform(1, 3600), latency_seconds=chance.choice(_LATENCIES)), PAY)
    return (PAY,)


def unclear_after_the_money(chance: random.Random) -> tuple[Step, ...]:
    """The money moves at once, and the answer is lost or says something else."""
    return (Step(fault=chance.choice(list(Fault)), latency_seconds=chance.choice(_LATENCIES)), PAY)


def unclear_fate(chance: random.Random) -> tuple[Step, ...]:
    """One or two unclear answers: the money moves never, at once, or up to ten minutes later."""
    unclear = []
    for _ in range(chance.choice((1, 1, 1, 2))):
        moves = chance.choice(list(Moves))
        fault = chance.choice((Fault.TIMEOUT, Fault.RESET)) if moves is Moves.LATE_ARRIVAL else None
        unclear.append(
            Step(
                fault=fault or chance.choice(list(Fault)),
                moves=moves,
                late_seconds=chance.uniform(0, LATEST_SECONDS) if moves in _LATE else 0.0,
                latency_seconds=chance.choice(_LATENCIES),
            )
        )
    return (*unclear, *chance.choice(((PAY,), (declined(), PAY), (declined(),))))


def unclear_at_the_last(chance: random.Random) -> tuple[Step, ...]:
    """Refused three times, and what became of the fourth shows late: whoever looks once gives up too soon."""
    moves = chance.choice(_LATE)
    late = Step(fault=Fault.RESET, moves=moves, late_seconds=chance.uniform(60, LATEST_SECONDS))
    return (*[declined()] * 3, late, PAY)


def declined_fate(chance: random.Random) -> tuple[Step, ...]:
    """Refused for some days, or for ever; now and then the refusal itself is not heard."""
    reason = chance.choice((Reason.PASSING, Reason.PASSING, Reason.PERMANENT))
    days = chance.choice((1, 2, 3, 4, 4))
    refusals = [declined("card_closed" if reason is Reason.PERMANENT else "issuer_declined", reason)] * days
    if chance.random() < 0.2:
        refusals[0] = replace(refusals[0], fault=chance.choice((Fault.TIMEOUT, Fault.RESET)))
    if chance.random() < 0.05:
        refusals.append(declined("disputed", Reason.DISPUTED))
    return (*refusals, PAY)


def taken_back_fate(chance: random.Random) -> tuple[Step, ...]:
    """Paid, and returned by the customer's bank while the refund is still watched; then paid, or never."""
    reason = chance.choice((Reason.PASSING, Reason.PASSING, Reason.PERMANENT))
    paid = Step(taken_back_seconds=chance.uniform(3600, 2.4 * 86_400), reason=reason)
    return (paid, *chance.choice(((PAY,), (declined(), PAY), (declined(),))))


def turned_away(chance: random.Random) -> Step:
    """Not processed, and surely so."""
    act = chance.choice((Act.TURN_AWAY, Act.NOT_REACHED, Act.CREDENTIALS))
    return Step(act, retry_after_seconds=chance.choice((None, 30.0, 7200.0)))


def accepted_fate(chance: random.Random) -> tuple[Step, ...]:
    """Taken at once, final later, or refused later."""
    final = chance.random() < 0.6
    fault = chance.choice((None, None, Fault.TIMEOUT, Fault.RESET))
    step = Step(
        Act.ACCEPT, fault, final=final, final_seconds=chance.uniform(1, 5 * 86_400), code="issuer_declined"
    )
    return (step, PAY)


def days_fate(chance: random.Random) -> tuple[Step, ...]:
    """For the schedule: refused for some days or for ever, no unclear answers."""
    days = chance.choice((0, 1, 2, 3, 4, 4))
    away = [turned_away(chance)] if chance.random() < 0.1 else []
    return (*away, *[declined()] * days, *((PAY,) if days < 4 else ()))


_LATE: Sequence[Moves] = (Moves.LATE_COMMIT, Moves.LATE_ARRIVAL)
