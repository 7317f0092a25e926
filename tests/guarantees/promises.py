"""The guarantees: what is promised, and how much of what a run must have seen to be believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Promise:
    """One guarantee. `seen` are the least counts of a full run, `never` the counts that must be 0.

    A quick run must see a tenth. What is not counted at all was not seen.
    """

    name: str
    title: str
    says: str
    seen: Mapping[str, int] = field(default_factory=dict)
    never: tuple[str, ...] = ()


PROMISES = (
    Promise(
        "G1",
        "Accepted is kept",
        "after a 202 or an acknowledged message no crash loses the refund, on either database",
        {"acknowledged": 20_000, "kills": 1_000, "postgres stops": 200},
        ("lost",),
    ),
    Promise(
        "G2",
        "Paid at most once",
        "whatever fails, on gateways of every grade and both databases; ledgers equal to the penny",
        {"refunds": 60_000, "faults after the money moved": 20_000},
        ("doubled",),
    ),
    Promise(
        "G3",
        "Never over the captured",
        "racing partials never exceed the payment; one key is one refund, and another body is refused",
        {"racing partials": 10_000, "equal posts": 20_000, "changed posts": 20_000},
        ("over captured",),
    ),
    Promise(
        "G4",
        "Once, then daily for three days",
        "none early, none forgotten, none on an outage's account, never two on one local date",
        {"refunds": 10_000},
        ("early", "forgotten", "late"),
    ),
    Promise(
        "G5",
        "Every final failure is told",
        "to every configured address, however the mail server misbehaves",
        {"failures": 10_000, "pairs": 30_000},
        ("pairs missing",),
    ),
    Promise(
        "G6",
        "Unknown is never guessed",
        "a look-up comes before any new payment; what nobody can tell goes to a person",
        {"unclear outcomes": 10_000},
        ("blind resends",),
    ),
    Promise(
        "G7",
        "Redis may vanish",
        "flushed, killed or away: nothing is lost or doubled, and work goes on",
        {"refunds": 10_000, "flushes": 200, "valkey kills": 10},
        ("lost",),
    ),
    Promise(
        "G8",
        "No zombie writes",
        "a worker frozen past its lease changes nothing and pays nothing; SIGTERM drains and ends with 0",
        {"zombies": 500, "sigterms": 200},
        ("stale writes",),
    ),
    Promise(
        "G17",
        "A restored backup pays nobody again",
        "whether it is told or has to be found out",
        {"refunds": 2_000},
        ("doubled",),
    ),
    Promise(
        "G18",
        "A sick gateway hurts nobody else",
        "it is probed at most every 30 s, no try is used up, the others are as fast as before",
        {"waiting at the sick gateway": 10_000},
        ("tries used up",),
    ),
)

REACHED = {
    "timeouts after the money moved": 500,
    "lease take overs": 50,
    "fencing refusals": 20,
    "look ups that found a payment": 100,
}
"""Rare states that a full run must have met so often, over all guarantees: a quiet run proves nothing."""

WITH_PROCESSES = {"kills": 150, "freezes": 50, "sigterms": 30, "postgres stops": 20, "flushes": 30}
"""So much of a full run happens to real processes."""
