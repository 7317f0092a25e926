"""From what the layers found to a line a guarantee: PASS only if nothing broke and enough was seen."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.guarantees.figures import Part, merged
from tests.guarantees.promises import PROMISES, REACHED, WITH_PROCESSES, Promise

QUICK_SHARE = 12
"""A quick run does a tenth, and chance takes its part of that."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run says of one guarantee: its figures by layer, and every reason why it fails."""

    name: str
    title: str
    says: str
    seeds: tuple[int, ...]
    counts: dict[str, int]
    by_layer: dict[str, dict[str, int]]
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Nothing was broken, and enough was seen."""
        return not self.faults

    @property
    def line(self) -> str:
        """One line for people."""
        shown = ", ".join(self._shown(name) for name in self.counts)
        seeds = " ".join(map(str, self.seeds)) or "none"
        return f"{self.name} {'PASS' if self.passed else 'FAIL'} {self.title}: {shown} (seed {seeds})"

    def _shown(self, name: str) -> str:
        layers = [layer for layer, counts in self.by_layer.items() if counts.get(name)]
        if len(layers) < 2:
            return f"{self.counts[name]:,} {name}"
        split = ", ".join(f"{layer} {self.by_layer[layer][name]:,}" for layer in layers)
        return f"{self.counts[name]:,} {name} ({split})"


def verdicts(parts: Sequence[Part], *, quick: bool) -> list[Verdict]:
    """One verdict a guarantee, in their order."""
    return [_verdict(promise, parts, quick=quick) for promise in PROMISES]


def reach(parts: Sequence[Part], *, quick: bool) -> list[str]:
    """What a run did not meet often enough to prove anything."""
    everywhere: Counter[str] = Counter()
    for part in parts:
        everywhere.update(part.counts)
    real = _most_by_guarantee(part for part in parts if part.layer == "processes")
    return [
        *_missing(everywhere, REACHED, quick=quick, where="in all layers"),
        *_missing(real, WITH_PROCESSES, quick=quick, where="with real processes"),
    ]


def _verdict(promise: Promise, parts: Sequence[Part], *, quick: bool) -> Verdict:
    mine = [part for part in parts if part.guarantee == promise.name]
    counts = merged(mine, promise.name)
    by_layer: dict[str, Counter[str]] = {}
    for part in mine:
        by_layer.setdefault(part.layer, Counter()).update(part.counts)
    faults = [line for part in mine for line in part.breaches]
    faults += _missing(counts, promise.seen, quick=quick, where="seen")
    faults += [f"nobody counted {name}" for name in promise.never if name not in counts]
    faults += [f"{counts[name]:,} {name}" for name in promise.never if counts[name]]
    return Verdict(
        promise.name,
        promise.title,
        promise.says,
        tuple(sorted({part.seed for part in mine})),
        dict(counts),
        {layer: dict(found) for layer, found in by_layer.items()},
        tuple(faults),
    )


def _missing(counts: Counter[str], wanted: dict[str, int] | object, *, quick: bool, where: str) -> list[str]:
    assert isinstance(wanted, dict)
    share = QUICK_SHARE if quick else 1
    return [
        f"only {counts[name]:,} of {least // share:,} {name} {where}"
        for name, least in wanted.items()
        if counts[name] < least // share
    ]


def _most_by_guarantee(parts: Iterable[Part]) -> Counter[str]:
    """A kill counts for several guarantees, and only once here."""
    most: Counter[str] = Counter()
    for part in parts:
        for name, number in part.counts.items():
            most[name] = max(most[name], number)
    return most
