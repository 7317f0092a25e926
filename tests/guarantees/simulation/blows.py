"""Blows: what hits the processes of a world before any step, by chance."""

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.guarantees.simulation.process import Worker
    from tests.guarantees.simulation.world import World

STOP_SECONDS = 25.0
"""What a process has from SIGTERM to its end (`Settings.shutdown_seconds`)."""

LONG_SHARE = 0.25
"""So many freezes last for days, until what was proven absent has been sent again."""


def strike(world: "World") -> None:
    """Perhaps a worker is killed or frozen now."""
    luck, wishes = world.chance.random(), world.wishes
    if not world.awake():
        return
    if world.chance.random() < wishes.flushes:
        _flush(world)
    staying = [worker for worker in world.awake() if not worker.stopping]
    if staying and world.chance.random() < wishes.sigterms:
        _tell_to_stop(world, world.chance.choice(staying))
    if luck < world.wishes.kills:  # a zombie is to wake up one day
        world.kill(world.chance.choice(world.awake()))
    elif luck < world.wishes.kills + _freezing(world):
        lease = world.wishes.lease.total_seconds()
        worker = max(world.awake(), key=lambda worker: (worker.calls.not_begun, world.chance.random()))
        # Past the gate only the gateway's key stands against a second payout, and keys live for a day.
        long = world.chance.random() < LONG_SHARE and not worker.calls.at_the_gate
        days = world.chance.uniform(1, 3) if long else 0.0
        world.freeze(worker, lease * world.chance.uniform(1.2, 20) + days * 86_400)


def _freezing(world: "World") -> float:
    """Freezes are likelier where calls are about to be sent: there a zombie can do harm."""
    awake = world.awake()
    if len(awake) < 2:  # somebody must go on
        return 0.0
    return world.wishes.freezes * (3 if any(worker.calls.not_begun for worker in awake) else 1)


def _tell_to_stop(world: "World", worker: "Worker") -> None:
    """SIGTERM: it claims no more, and has so long to settle what is under way. A new one takes its place."""
    world.counts["sigterms"] += 1
    worker.stop()
    world.start_worker()
    world.at(world.clock.elapsed() + STOP_SECONDS, partial(_has_to_have_ended, world, worker))


def _has_to_have_ended(world: "World", worker: "Worker") -> None:
    if worker not in world.workers:
        return  # it was killed meanwhile
    if worker.thaws > world.clock.elapsed() - STOP_SECONDS:  # a frozen one is given its time anew
        world.at(worker.thaws + STOP_SECONDS, partial(_has_to_have_ended, world, worker))
        return
    if worker.calls.at_the_gate:  # a part of it sleeps: it has its time once it is awake
        world.at(world.clock.elapsed() + STOP_SECONDS, partial(_has_to_have_ended, world, worker))
        return
    if worker.holds:
        world.breaches.append(
            f"{worker.parts.worker} held {worker.holds} claims {STOP_SECONDS} s after SIGTERM"
        )
    worker.calls.close()
    world.workers.remove(worker)


def _flush(world: "World") -> None:
    """Redis forgets every ring that nobody has taken yet."""
    world.counts["flushes"] += 1
    for worker in world.workers:
        worker.stale.clear()
