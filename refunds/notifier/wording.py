"""Words and colours that tell one kind of notice from another at a glance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from refunds.domain.notice import NoticeKind


@dataclass(frozen=True, slots=True)
class Wording:
    """`state` follows "Refund" in the subject; `banner` heads the HTML part in `ink` on `ground`."""

    state: str
    banner: str
    ground: str
    ink: str = "#ffffff"


WORDINGS: Final[Mapping[NoticeKind, Wording]] = {
    NoticeKind.FAILED: Wording("failed for good", "FAILED FOR GOOD", "#b3001b"),
    NoticeKind.OUTCOME_UNKNOWN: Wording(
        "outcome unknown, check first", "OUTCOME UNKNOWN: CHECK FIRST", "#ffc400", "#000000"
    ),
    NoticeKind.REFUSED_EARLY: Wording("refused, still trying", "REFUSED, STILL TRYING", "#a63c00"),
    NoticeKind.STILL_UNPAID: Wording("still unpaid, outage", "STILL UNPAID: OUTAGE", "#1d4ed8"),
    NoticeKind.NEEDS_REVIEW: Wording("needs a decision", "NEEDS A DECISION", "#6b21a8"),
    NoticeKind.TAKEN_BACK: Wording("taken back, owed again", "TAKEN BACK: OWED AGAIN", "#9d174d"),
    NoticeKind.PAID_ANYWAY: Wording("paid after all, paid twice?", "PAID AFTER ALL: TWICE?", "#92400e"),
    NoticeKind.RESOLVED: Wording("resolved, alarm withdrawn", "ALARM WITHDRAWN", "#166534"),
}
"""Failed and unknown share no word and no colour: one is certainly unpaid, the other may be paid."""
