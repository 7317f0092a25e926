"""The end of a life: no more trouble, everything comes to an end, and everybody is told."""

from collections import defaultdict
from collections.abc import Iterator

from refunds.domain.status import Status
from refunds.flow.notify import deliver_due
from refunds.flow.pauses import resume
from refunds.flow.sweep import sweep
from refunds.store.lanes import EVERY_GATEWAY
from tests.guarantees.machine.life import ADDRESSES, Life
from tests.guarantees.simulation.judge import notices_of
from tests.guarantees.simulation.steps import Step

ENDS = {
    Status.REFUNDED,
    Status.VOIDED,
    Status.FAILED,
    Status.CANCELLED,
    Status.REFUNDED_EXTERNALLY,
    Status.NEEDS_REVIEW,
}
LONGEST = 150
"""Moments at which something falls due until everything has ended."""

_ALARMS = {
    Status.FAILED: {"failed"},
    Status.NEEDS_REVIEW: {"outcome_unknown", "needs_review", "taken_back"},
}


def come_to_an_end(life: Life, *, fate: Step) -> Iterator[str]:
    """Let everything end, the bank doing the same with each request; tells what has not ended, or who was
    not told of it.
    """
    for gateway in (EVERY_GATEWAY, "bank"):
        resume(life.world.web, gateway, actor="an operator")
    life.bank.look_ups_fail = False
    for worker in life.world.workers:
        worker.frozen_until = 0.0
    life.ring()
    life.work(life.world.workers, [fate])
    for worker in life.world.workers[1:]:
        life.world.kill(worker, replace=False)
    for _ in range(LONGEST):
        life.ring()
        life.work(life.world.workers, [fate])
        sweep(life.world.schedulers[0])
        deliver_due(life.world.schedulers[0])
        if (not _moving(life) and not _untold(life)) or not life.jump():
            break
    yield from (f"{line} and never ends" for line in _moving(life))
    yield from (f"{line} was never delivered" for line in _untold(life))
    yield from _silent(life)


def _moving(life: Life) -> list[str]:
    found = life.all()
    asked_about = {refund.payment_id for refund in found if refund.status is Status.NEEDS_REVIEW}
    waits = {Status.REQUESTED, Status.QUEUED}
    return [
        f"{refund.id} is {refund.status}"
        for refund in found
        if (refund.status not in ENDS or refund.extra)
        and not (refund.status in waits and refund.payment_id in asked_about)
        and not (refund.extra and refund.payment_id in asked_about)
    ]


def _untold(life: Life) -> list[str]:
    return [f"{told.kind} of {told.refund_id}" for told in notices_of(life.world) if told.status == "pending"]


def _silent(life: Life) -> Iterator[str]:
    mails: dict[tuple[str, str], set[str]] = defaultdict(set)
    for mail in life.mailbox.received:
        mails[mail.refund_id, mail.address].add(mail.event)
    for refund in life.all():
        if refund.status in _ALARMS and refund.id not in life.decided:
            for address in ADDRESSES:
                refused = (refund.id, address) in life.mailbox.refused_for_good
                if not refused and not mails[refund.id, address] & _ALARMS[refund.status]:
                    yield f"{address} was never told that {refund.id} is {refund.status}"
