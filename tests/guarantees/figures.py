"""What a run of the guarantees found: counts from outside ledgers, and every breach in words."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Layer = Literal["simulation", "crashes", "machine", "processes"]


@dataclass(frozen=True, slots=True)
class Part:
    """What one layer found about one guarantee.

    `counts` are named as they are printed ("refunds", "kills", "look-ups that found a payment") and are read
    from the ledgers of the sandbox gateway and the mail sink wherever those can tell. `breaches` are empty
    unless the guarantee is broken: each is one line that names the refund, the payment or the process.
    """

    guarantee: str
    layer: Layer
    seed: int
    counts: Mapping[str, int]
    breaches: tuple[str, ...] = ()


@dataclass(slots=True)
class Tally:
    """Counts and breaches while a layer runs; `parts` at its end."""

    layer: Layer
    seed: int
    _counts: dict[str, Counter[str]] = field(default_factory=dict)
    _breaches: dict[str, list[str]] = field(default_factory=dict)

    def count(self, guarantee: str, **counts: int) -> None:
        """Add to counts; an underscore in a name is printed as a blank."""
        mine = self._counts.setdefault(guarantee, Counter())
        for name, number in counts.items():
            mine[name.replace("_", " ")] += number

    def breach(self, guarantee: str, *lines: str) -> None:
        """The guarantee is broken, and this is how."""
        self._counts.setdefault(guarantee, Counter())
        self._breaches.setdefault(guarantee, []).extend(lines)

    def parts(self) -> list[Part]:
        """One part for each guarantee that was counted or broken."""
        return [
            Part(name, self.layer, self.seed, dict(counts), tuple(self._breaches.get(name, ())))
            for name, counts in sorted(self._counts.items())
        ]


def merged(parts: Iterable[Part], guarantee: str) -> Counter[str]:
    """The counts of one guarantee over all layers."""
    total: Counter[str] = Counter()
    for part in parts:
        if part.guarantee == guarantee:
            total.update(part.counts)
    return total
