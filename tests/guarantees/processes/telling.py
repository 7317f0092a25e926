"""What a run says while it goes on, and all that is known of each breach: a seed alone brings none back."""

import sys
import time
from collections.abc import Mapping, Sequence

from tests.guarantees.figures import Tally
from tests.guarantees.processes.chaos import Diary
from tests.guarantees.processes.facts import Facts, story

_LOG_TAIL_CHARS = 60_000


def talk(city: str, began: float, what: str) -> None:
    """One line on standard error, with the seconds since the city began."""
    _write(f"{city} {time.monotonic() - began:6.1f} s: {what}")


def new_breaches(tally: Tally, before: Mapping[str, int]) -> list[str]:
    """Breaches that were added since so many stood under each guarantee."""
    return [
        f"{part.guarantee} {line}"
        for part in tally.parts()
        for line in part.breaches[before.get(part.guarantee, 0) :]
    ]


def tell_breaches(city: str, breaches: Sequence[str], facts: Facts, diary: Diary) -> None:
    """The story of every refund that a breach names, logs of processes that ended badly, and the diary."""
    named = {word.strip(":,;") for line in breaches for word in line.split() if word.startswith("rf_")}
    ended_badly = [ending for ending in diary.endings if ending.code != 0]
    _write(f"{city} logged {dict(facts.logs)}")
    _write(*(f"{city} BREACH {line}" for line in breaches))
    _write(*(story(facts, refund_id) for refund_id in sorted(named)))
    _write(*(f"== {ending.process} wrote\n{ending.words[-_LOG_TAIL_CHARS:]}" for ending in ended_badly))
    if breaches:
        _write(*diary.lines)


def _write(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
