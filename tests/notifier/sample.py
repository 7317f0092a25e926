"""One refund of each kind of notice, as the tests' starting point."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Finding
from refunds.domain.status import Kind
from refunds.notifier.facts import AttemptFact, NoticeFacts

_DAY_0: Final = datetime(2025, 11, 17, 14, 12, 4, tzinfo=UTC)
_DAY_1: Final = datetime(2025, 11, 18, 8, 0, 2, tzinfo=UTC)
_DAY_2: Final = datetime(2025, 11, 19, 8, 0, 1, tzinfo=UTC)
_DAY_3: Final = datetime(2025, 11, 20, 8, 0, 3, tzinfo=UTC)


def _refused(number: int, at: datetime) -> AttemptFact:
    return AttemptFact(
        number=number,
        counted=True,
        at=at,
        outcome="declined",
        code="card_closed",
        text="This card has been closed",
        request_id=f"req_8Zk{number}",
    )


FAILED: Final = NoticeFacts(
    notice_id="nt_01KAE6Q8M0V5WZ3Y7C2D9F4GHJ",
    kind=NoticeKind.FAILED,
    recipient="oncall@shop.example",
    why_recipient="is in MONEYBACK_NOTIFY_EMAILS",
    environment="production",
    version="1.4.0",
    refund_id="rf_01KA8Y1T5B6N0QZ4R7S2V9WXEH",
    refund_kind=Kind.REFUND,
    account="main",
    gateway="sandbox",
    order_id="536379",
    transaction_id="ch_3PqR7sT1uV",
    amount_minor=1275,
    currency="GBP",
    captured_minor=2750,
    created_at=_DAY_0,
    decided_at=_DAY_3.replace(second=31),
    requested_by='anna@shop (token "helpdesk")',
    reason="parcel came back",
    failure_code="card_closed",
    failure_text="This card has been closed",
    attempts=(_refused(1, _DAY_0), _refused(2, _DAY_1), _refused(3, _DAY_2), _refused(4, _DAY_3)),
    public_url="https://refunds.example",
    zone="Europe/Paris",
)
"""Refused on four days, and never looked up."""

_UNHEARD: Final = AttemptFact(
    number=1,
    counted=False,
    at=_DAY_0,
    outcome="unknown",
    code="read_timeout",
    text="no answer within 20 s",
    finding=Finding.UNCLEAR,
)

_UNAVAILABLE: Final = AttemptFact(
    number=1, counted=False, at=_DAY_0, outcome="unavailable", code="http_503", text="Service Unavailable"
)

LOOKED_UP: Final = replace(
    FAILED,
    failure_code="proven_absent",
    failure_text="",
    attempts=(
        *FAILED.attempts[:3],
        replace(_UNHEARD, number=4, counted=True, at=_DAY_3, finding=Finding.ABSENT),
    ),
    certainty="no refund of ours exists",
    looked_up_at=_DAY_3.replace(hour=9),
    decided_at=_DAY_3.replace(hour=9, second=31),
)

SAMPLES: Final[Mapping[str, NoticeFacts]] = {
    "failed": FAILED,
    "failed_looked_up": LOOKED_UP,
    "failed_void": replace(FAILED, refund_kind=Kind.VOID, amount_minor=2750),
    "outcome_unknown": replace(
        FAILED,
        kind=NoticeKind.OUTCOME_UNKNOWN,
        failure_code="read_timeout",
        failure_text="no answer within 20 s",
        attempts=(_UNHEARD,),
        certainty="no final word (unclear)",
        looked_up_at=_DAY_3,
    ),
    "outcome_unknown_void": replace(
        FAILED,
        kind=NoticeKind.OUTCOME_UNKNOWN,
        refund_kind=Kind.VOID,
        amount_minor=2750,
        failure_code="read_timeout",
        failure_text="no answer within 20 s",
        attempts=(replace(_UNHEARD, finding=None),),
        evidence="answers that changed nothing here: try 1 refunded (sre_77)",
    ),
    "refused_early": replace(
        FAILED,
        kind=NoticeKind.REFUSED_EARLY,
        attempts=FAILED.attempts[:1],
        next_attempt_at=_DAY_1,
        decided_at=_DAY_0.replace(minute=13),
        public_url=None,
    ),
    "still_unpaid": replace(
        FAILED,
        kind=NoticeKind.STILL_UNPAID,
        failure_code="http_503",
        failure_text="Service Unavailable",
        attempts=tuple(replace(_UNAVAILABLE, number=number) for number in range(1, 41)),
        next_attempt_at=_DAY_3.replace(hour=10),
    ),
    "needs_review": replace(
        FAILED,
        kind=NoticeKind.NEEDS_REVIEW,
        failure_code="charge_disputed",
        failure_text="The charge has been charged back",
        attempts=FAILED.attempts[:1],
    ),
    "needs_review_void": replace(
        FAILED,
        kind=NoticeKind.NEEDS_REVIEW,
        refund_kind=Kind.VOID,
        amount_minor=2750,
        failure_code="charge_disputed",
        failure_text="The charge has been charged back",
        attempts=FAILED.attempts[:1],
    ),
    "taken_back": replace(
        FAILED,
        kind=NoticeKind.TAKEN_BACK,
        failure_code="account_closed",
        failure_text="The bank returned the money",
        attempts=(
            replace(FAILED.attempts[0], outcome="refunded", code="", text="", finding=Finding.DECLINED),
        ),
        certainty="it did not stay paid",
        looked_up_at=_DAY_3,
        next_attempt_at=_DAY_3.replace(day=21),
    ),
    "paid_anyway": replace(
        FAILED,
        kind=NoticeKind.PAID_ANYWAY,
        failure_code="read_timeout",
        failure_text="no answer within 20 s",
        attempts=(replace(_UNHEARD, finding=Finding.REFUNDED),),
        certainty="it is paid",
        looked_up_at=_DAY_3,
    ),
    "resolved": replace(
        FAILED,
        notice_id="nt_01KAJ4B2N7C8Q5T1V6X9Z3D0EF",
        kind=NoticeKind.RESOLVED,
        attempts=(
            *FAILED.attempts,
            replace(
                _UNHEARD,
                number=5,
                at=_DAY_3.replace(day=21),
                finding=Finding.REFUNDED,
                found_at=_DAY_3.replace(day=21),
            ),
        ),
        failure_code="read_timeout",
        failure_text="no answer within 20 s",
        certainty="it is paid: reference sre_77",
        looked_up_at=_DAY_3.replace(day=21),
        decided_at=_DAY_3.replace(day=21),
        thread_message_id="<nt_01KAE6Q8M0V5WZ3Y7C2D9F4GHJ@refunds.example>",
        message_number=2,
        message_total=2,
    ),
}
"""What is told in each case; the names are those of the snapshots."""
