"""What the scripted bank does with one request: the words in which a life is written beforehand."""

from dataclasses import dataclass
from enum import StrEnum

from refunds.domain.outcome import Reason


class Act(StrEnum):
    """What becomes of the request."""

    PAY = "pay"
    ACCEPT = "accept"
    """Taken; the final word comes `final_seconds` later, and is no where `final` is False."""
    DECLINE = "decline"
    TURN_AWAY = "turn_away"
    """Refused before processing, perhaps with a Retry-After."""
    NOT_REACHED = "not_reached"
    CREDENTIALS = "credentials"


class Fault(StrEnum):
    """What the caller gets to see in place of the answer."""

    TIMEOUT = "timeout"
    RESET = "reset"
    ERROR = "error"
    """A 500, which the bank stores under the key and gives again."""
    GARBAGE = "garbage"
    WRONG_AMOUNT = "wrong_amount"
    NO_REFERENCE = "no_reference"
    RAISES = "raises"
    """The adapter itself breaks on the answer."""


class Moves(StrEnum):
    """When the money moves, beside a fault."""

    NEVER = "never"
    BEFORE = "before"
    """Before the fault: the money has moved and nobody is told."""
    LATE_COMMIT = "late_commit"
    """The request has arrived, its key is known, the money moves `late_seconds` after."""
    LATE_ARRIVAL = "late_arrival"
    """The request itself arrives `late_seconds` after, and may then meet its own key."""


@dataclass(frozen=True, slots=True)
class Step:
    """One request's fate. `gate_seconds`: the process is frozen between its last check and the first byte."""

    act: Act = Act.PAY
    fault: Fault | None = None
    moves: Moves = Moves.BEFORE
    late_seconds: float = 0.0
    code: str = "insufficient_funds"
    reason: Reason = Reason.PASSING
    retry_after_seconds: float | None = None
    final: bool = True
    final_seconds: float = 0.0
    taken_back_seconds: float | None = None
    gate_seconds: float = 0.0
    latency_seconds: float = 0.05


PAY = Step()


def declined(code: str = "insufficient_funds", reason: Reason = Reason.PASSING) -> Step:
    """A sure refusal."""
    return Step(Act.DECLINE, code=code, reason=reason)
