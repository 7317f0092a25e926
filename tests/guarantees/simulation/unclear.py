"""The judge of unclear outcomes, by the bank's own list of what it was asked (G6)."""

from collections.abc import Iterator, Sequence

from refunds.domain.abilities import Abilities
from refunds.domain.outcome import Finding, Outcome
from tests.guarantees.simulation.bank import Bank
from tests.guarantees.simulation.ledger import Asked

CLEAR = {Outcome.DECLINED, Outcome.UNAVAILABLE}


def blind_resends(bank: Bank) -> Iterator[str]:
    """Money requests after one that may have paid, without proof that it did not."""
    for reference, asked in bank.ledger.asked.items():
        for why in _blind(asked, bank.abilities):
            yield f"{reference} was sent again {why}"


def _blind(asked: Sequence[Asked], abilities: Abilities) -> Iterator[str]:
    before: Asked | None = None
    first_use: dict[str, float] = {}
    looks: list[Asked] = []
    for seen in asked:
        if seen.what == "look_up":
            looks.append(seen)
        elif not seen.zombie:  # what was checked before a freeze is late, not blind
            if before is not None:
                yield from _between(before, looks, seen, first_use, abilities)
            first_use.setdefault(seen.key, seen.elapsed)
            before, looks = seen, []


def _between(
    before: Asked, looks: Sequence[Asked], seen: Asked, first_use: dict[str, float], abilities: Abilities
) -> Iterator[str]:
    unclear = before.outcome not in CLEAR
    if abilities.look_up:
        if not looks:
            yield "without a look-up"
        elif unclear and not _proven(looks, abilities):
            yield "without proof of absence"
    elif unclear and abilities.key_life is None:
        yield "although nobody can tell what became of the first"
    elif unclear and abilities.key_life is not None:
        if seen.key != before.key:
            yield "by another key"
        elif seen.elapsed >= first_use[seen.key] + abilities.key_life.total_seconds():
            yield "by a key that is over"


def _proven(looks: Sequence[Asked], abilities: Abilities) -> bool:
    """The bank says that it refused it; or two look-ups found nothing, the settling time apart."""
    absent = [look.elapsed for look in looks if look.finding is Finding.ABSENT]
    apart = bool(absent) and absent[-1] - absent[0] >= abilities.settling.total_seconds()
    return apart or any(look.finding is Finding.DECLINED for look in looks)
