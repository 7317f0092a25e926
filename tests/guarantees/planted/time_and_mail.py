"""Planted bugs about time, wake-ups, outages and mail."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import text

from refunds.domain import judge, schedule
from refunds.domain.judge import Reservation, Standing, Verdict
from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Answer
from refunds.domain.schedule import Policy, next_run
from refunds.domain.status import Status, Wait
from refunds.flow import breaker, notify, settle
from refunds.flow.parts import Parts
from refunds.notifier import content
from refunds.ports import Mail
from refunds.store import claims, settlement
from refunds.store.claim import Claim
from refunds.store.database import Tx
from refunds.store.types import Instant
from tests.guarantees.crashes.stage import Stage
from tests.guarantees.planted import trials
from tests.guarantees.planted.switch import Plant, swapped


def _counted(standing: Standing, answer: Answer, *, policy: Policy, now: datetime, **_: Any) -> Verdict:
    """An outage uses up a place of the schedule."""
    due = next_run(standing.claimed_at, policy, now)
    return Verdict(Status.QUEUED, answer.code, due_at=due, wait=Wait.DAILY, counted=True)


def _given_up(why: str) -> Verdict:
    """What nobody can tell was surely not paid."""
    notices = (NoticeKind.FAILED,)
    return Verdict(Status.FAILED, why, reservation=Reservation.RELEASE, notices=notices)


_claim_due = claims.claim_due


def _punctual(tx: Tx, *, now: datetime, **rest: Any) -> list[Claim]:
    """A run that is an hour late is a misfire, and is dropped."""
    late = "UPDATE refunds SET due_at = NULL WHERE status = 'queued' AND due_at < :hour_ago"
    hour_ago = Instant().process_bind_param(now - timedelta(hours=1), tx.dialect)
    tx.execute(text(late), {"hour_ago": hour_ago})
    return _claim_due(tx, now=now, **rest)


_recipients = settle._with_recipients
_early = count(1)


def _told_at_once(parts: Parts, tx: Tx, known: Any, judged: Sequence[Any]) -> Any:
    """The mail leaves while its failure is being written."""
    for item, verdict in judged:
        for address in parts.mail.notify_emails if NoticeKind.FAILED in verdict.notices else ():
            head = f"X-Moneyback-Refund: {item.claim.refund_id}\r\nX-Moneyback-Event: failed\r\n\r\n"
            message_id = f"<early-{next(_early)}@shop.test>"
            parts.channel.deliver(Mail(address, "moneyback@shop.test", message_id, head.encode()))
    return _recipients(parts, tx, known, judged)


def _breaks(*_: object, **__: object) -> Mail:
    raise ValueError("a header must be one line")


def _another(notice_id: str, host: str) -> str:
    return f"<{notice_id}.{next(_early)}@{host}>"


def _silent(_booked: object) -> Sequence[object]:
    return ()


def _deaf(_stage: Stage) -> None:
    """Pumps look when they are rung, and never else."""


_UTC: Callable[..., Any] = lambda instant, _zone: instant.astimezone(UTC).date()  # noqa: E731

PLANTS = (
    Plant(
        "wake-ups are trusted: no polling",
        "G7",
        swapped((Stage, "_all_look", _deaf)),
        trials.struck(trials.ASKED_LATER, trials.is_ring, side="before", fails=True),
    ),
    Plant(
        "mail before the commit",
        "G5",
        swapped((settle, "_with_recipients", _told_at_once)),
        trials.of("declined four times, failed, everybody is told"),
    ),
    Plant(
        "the notice is not written with the failure",
        "G5",
        swapped((settlement, "_told", _silent)),
        trials.of("declined four times, failed, everybody is told"),
    ),
    Plant(
        "a notice is dropped on a header error",
        "G5",
        swapped((notify, "build", _breaks)),
        trials.of(trials.NOT_FOR_LONG),
    ),
    Plant(
        "a new Message-ID for each try of a mail",
        "G5",
        swapped((content, "_message_id", _another)),
        trials.of(trials.DROPPING),
    ),
    Plant(
        "a missed daily run is dropped as a misfire",
        "G4",
        swapped((claims, "claim_due", _punctual)),
        trials.of(trials.NOBODY_THERE),
    ),
    Plant(
        "the date is taken in UTC",
        "G4",
        swapped((schedule, "local_date", _UTC)),
        trials.IN_AUCKLAND,
    ),
    Plant(
        "an outage is counted as a try",
        "G4",
        swapped((judge, "_deferred", _counted)),
        trials.of(trials.TURNED_AWAY),
    ),
    Plant(
        "time turns unknown into failed",
        "G6",
        swapped((judge, "_nobody_can_tell", _given_up)),
        trials.of(trials.TIMED_OUT_D),
    ),
    Plant(
        "the breaker never closes a lane",
        "G18",
        swapped((breaker, "BREAKER_LIMIT", 1_000_000)),
        trials.hammered,
    ),
)
