"""The counter of the platform: keys first, then the script, then the till."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from refunds.sandbox.answer import Answer, Manner, Reply, error, told, unknown_payment_answer
from refunds.sandbox.ledger import Ledger
from refunds.sandbox.messages import MoneyOrder
from refunds.sandbox.records import Later, Payment, Seen, Stored, unknown_payment
from refunds.sandbox.script import (
    Async,
    Decline,
    Fault,
    Garbled,
    Hang,
    LateCommit,
    LateFailure,
    Ok,
    RateLimit,
    Reset,
    Shut,
    Slow,
    Step,
    advance,
)
from refunds.sandbox.till import Then, Till


@dataclass(frozen=True, slots=True)
class _Visit:
    """One order at the counter; `key` is None where the payment ignores keys."""

    order: MoneyOrder
    payment: Payment
    key: str | None
    now: datetime


class Teller:
    """Decides money requests and look-ups; each call runs inside the ledger's open transaction."""

    def __init__(self, ledger: Ledger, *, strict: bool) -> None:
        self._ledger = ledger
        self._till = Till(ledger)
        self._strict = strict
        self._held: set[str] = set()

    def take(self, order: MoneyOrder, seen: Seen) -> Reply:
        """Answer a refund or a void, moving money where the rules and the script let it."""
        now = self.settle()
        step, reply = self._decide(order, now)
        self._ledger.add_request(seen, at=now, step=step, moved=reply.answer.moved, status=reply.told_status)
        return reply

    def look_up(self, seen: Seen) -> Answer:
        """Show the payment, and its refunds as they stand on the sandbox's clock."""
        now = self.settle()
        answer = self._shown(seen)
        self._ledger.add_request(seen, at=now, step=None, moved=False, status=answer.status)
        return answer

    def turn_away(self, seen: Seen, answer: Answer) -> Answer:
        """Note a request that never got to the counter."""
        self._ledger.add_request(seen, at=self.settle(), step=None, moved=False, status=answer.status)
        return answer

    def portal_refund(self, transaction_id: str, amount_minor: int) -> Answer:
        """Refund by hand, without reference or key, past all scripts; only the balance is looked at."""
        now = self.settle()
        payment = self._ledger.payment(transaction_id)
        if payment is None:
            return unknown_payment_answer()
        return self._till.pay_by_hand(payment, amount_minor, now)

    @contextmanager
    def holding(self, key: str | None) -> Iterator[None]:
        """While this lasts, the key counts as being processed."""
        if key is None:
            yield
            return
        self._held.add(key)
        try:
            yield
        finally:
            self._held.discard(key)

    def settle(self) -> datetime:
        """Let happen what is due on the sandbox's clock, each at its own moment; returns the clock."""
        now = self._ledger.now()
        while (later := self._ledger.take_due(now)) is not None:
            if later.money_order is not None:
                self._pay_late(MoneyOrder.model_validate_json(later.money_order), later.due_at)
            elif later.refund_id is not None and later.status is not None:
                self._till.finish(later.refund_id, status=later.status, code=later.code, at=later.due_at)
        return now

    def _decide(self, order: MoneyOrder, now: datetime) -> tuple[str | None, Reply]:
        payment = self._ledger.payment(order.transaction_id)
        if payment is None:
            if self._strict:
                return None, Reply(unknown_payment_answer())
            payment = self._ledger.open_payment(order.transaction_id, order.request.currency)
        if order.request.currency != payment.currency:
            return None, Reply(error(400, "invalid_request", f"/currency: it is in {payment.currency}"))
        visit = _Visit(order, payment, order.key if payment.options.keys else None, now)
        if (known := self._known(visit)) is not None:
            return None, Reply(known)
        step = self._next_step(visit)
        if step is None:
            return None, Reply(self._process(visit))
        return step.do, self._act(step, visit)

    def _known(self, visit: _Visit) -> Answer | None:
        if visit.key is None:
            return None
        stored = self._ledger.stored(visit.key, visit.now)
        if stored is not None and stored.fingerprint != visit.order.fingerprint:
            return error(422, "key_reused", "the key was used with other parameters")
        if visit.key in self._held or (stored is not None and stored.status is None):
            return error(409, "key_in_use", "a request with this key is being processed")
        if stored is None or stored.status is None or stored.body is None:
            return None
        return Answer(stored.status, stored.body, headers={"Idempotent-Replayed": "true"})

    def _next_step(self, visit: _Visit) -> Step | None:
        steps = self._ledger.steps(visit.payment)
        if not steps:
            return None
        before = self._ledger.progress(visit.payment.transaction_id)
        step, progress = advance(steps, before, visit.now.date())
        if progress != before:
            self._ledger.set_progress(visit.payment.transaction_id, progress)
        return step

    def _act(self, step: Step, visit: _Visit) -> Reply:  # noqa: C901, PLR0911, PLR0912 one case a step
        match step:
            case Ok():
                return Reply(self._process(visit))
            case Slow():
                return Reply(self._process(visit), seconds=step.seconds)
            case Decline():
                return Reply(self._keep(visit, error(402, step.code, "the refund was declined")))
            case RateLimit():
                wait = {"Retry-After": str(step.retry_after)}
                return Reply(error(429, "rate_limited", "too many requests", headers=wait))
            case Shut():
                status = 503 if step.do == "unavailable" else 401
                return Reply(error(status, step.do, "the script turns this request away"))
            case Reset():
                answer = self._process(visit) if step.do == "reset_after" else _UNPROCESSED
                return Reply(answer, Manner.CLOSED)
            case Hang():
                answer = self._process(visit) if step.do == "hang_after" else _UNPROCESSED
                return Reply(answer, Manner.CLOSED, step.seconds)
            case Fault():
                return Reply(self._fail(step, visit))
            case LateCommit():
                return self._promise_late(step, visit)
            case Async():
                final = "succeeded" if step.succeeds else "failed"
                code = None if step.succeeds else step.code
                then = Then(step.final_after_seconds, final, code)
                return Reply(self._process(visit, pending=True, then=then))
            case LateFailure():
                return Reply(self._process(visit, then=Then(step.after_seconds, "failed", step.code)))
            case Garbled():
                return self._garble(step, visit)
            case _:
                assert_never(step)

    def _fail(self, step: Fault, visit: _Visit) -> Answer:
        answer = error(step.status, "internal", "something broke")
        if step.do == "error_before":
            return answer
        return self._keep(visit, replace(answer, moved=self._pay(visit).moved))

    def _promise_late(self, step: LateCommit, visit: _Visit) -> Reply:
        due_at = visit.now + timedelta(seconds=step.seconds)
        self._ledger.add_later(Later(due_at, money_order=visit.order.model_dump_json()))
        if visit.key is not None:
            unfinished = Stored(visit.order.fingerprint, None, None)
            self._ledger.store(visit.key, unfinished, expires_at=_key_end(visit))
        return Reply(_UNPROCESSED, Manner.CLOSED)

    def _pay_late(self, order: MoneyOrder, due_at: datetime) -> None:
        payment = self._ledger.payment(order.transaction_id)
        if payment is not None:
            self._process(_Visit(order, payment, order.key if payment.options.keys else None, due_at))

    def _garble(self, step: Garbled, visit: _Visit) -> Reply:
        if step.do != "wrong_amount":
            return Reply(self._process(visit), Manner.HALF if step.do == "half_answer" else Manner.GARBAGE)
        answer = self._pay(visit)
        if answer.moved:
            wrong = json.loads(answer.body)
            wrong["amount_minor"] += 1
            answer = replace(answer, body=json.dumps(wrong))
        return Reply(self._keep(visit, answer))

    def _process(self, visit: _Visit, *, pending: bool = False, then: Then | None = None) -> Answer:
        return self._keep(visit, self._pay(visit, pending=pending, then=then))

    def _pay(self, visit: _Visit, *, pending: bool = False, then: Then | None = None) -> Answer:
        return self._till.pay(visit.order, visit.payment, visit.now, pending=pending, then=then)

    def _keep(self, visit: _Visit, answer: Answer) -> Answer:
        if visit.key is not None:
            stored = Stored(visit.order.fingerprint, answer.status, answer.body)
            self._ledger.store(visit.key, stored, expires_at=_key_end(visit))
        return answer

    def _shown(self, seen: Seen) -> Answer:
        payment = self._ledger.payment(seen.transaction_id)
        if payment is None:
            if self._strict:
                return unknown_payment_answer()
            payment = unknown_payment(seen.transaction_id, "")
        if not payment.options.look_up:
            return error(501, "look_up_unsupported", "this platform answers no look-ups")
        body = {
            "payment": {
                "transaction_id": payment.transaction_id,
                "currency": payment.currency or None,
                "captured_minor": payment.captured_minor,
                "authorized_minor": payment.authorized_minor,
                "refunded_minor": payment.refunded_minor,
                "refundable_minor": payment.refundable_minor,
                "disputed": payment.disputed,
                "voided": payment.voided,
            },
            "refunds": [told(refund) for refund in self._ledger.refunds(seen.transaction_id, seen.reference)],
        }
        return Answer(200, json.dumps(body))


_UNPROCESSED = Answer(0, "")


def _key_end(visit: _Visit) -> datetime:
    return visit.now + timedelta(seconds=visit.payment.options.key_life_seconds)
