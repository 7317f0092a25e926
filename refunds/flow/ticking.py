"""Ticking: any number of schedulers share the ticks, each slot of each is taken once, in SQL."""

from refunds.flow.parts import Parts
from refunds.store import ticks
from refunds.store.database import real_now


def take_slot(parts: Parts, tick: str, every_seconds: int) -> bool:
    """Take the present slot of a tick: True for one process alone. Raises DatabaseUnavailableError.

    A slot is `every_seconds` long on the database's real clock.
    """
    with parts.database.begin() as tx:
        real = real_now(tx)
        slot = int(real.timestamp()) // every_seconds
        return ticks.take(tx, tick=tick, slot=slot, by=parts.worker, real=real)
