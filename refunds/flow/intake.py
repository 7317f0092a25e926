"""Intake: a request becomes a refund, durably and once, or is refused and changes nothing.

Key, balance, refund and history are one transaction. The payment is locked while its balance is judged;
the database's own constraint stands behind that. A key answers the same as long as its refund lives.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import rfc8785
from ulid import ULID

from refunds.domain.redaction import found_in, redacted
from refunds.domain.status import Kind, Status
from refunds.flow.admission import not_possible
from refunds.flow.amounts import amount_asked
from refunds.flow.parts import Parts
from refunds.flow.payments import register_forms
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.request import RefundForm, not_kept, read
from refunds.store import accounts, payments, refunds, requests
from refunds.store.database import Tx, now
from refunds.store.payments import Payment
from refunds.store.refunds import Refund

KEY_LIMIT = 255
KEY_POINTER = "/idempotency_key"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request under its caller's idempotency key."""

    key: str
    document: Mapping[str, Any]
    kind: Kind = Kind.REFUND


@dataclass(frozen=True, slots=True)
class Accepted:
    """A refund that is kept now; `repeated` where the key stood for it already."""

    refund: Refund
    repeated: bool


Taken = Accepted | Refusal


def take_in(
    parts: Parts,
    asked: Sequence[Asked],
    *,
    caller: str,
    source: str,
    requested_by: str | None = None,
    keep_refusals: bool = False,
    hold: timedelta | None = None,
) -> list[Taken]:
    """Take in requests, judged in order, each answered in its place; durable when this returns.

    The same key and request again answer the same; another request under a key is refused. Refusals leave
    no row, unless `keep_refusals` makes their keys answer the same again. `hold` puts the first attempts
    off (a batch begins when all of it is in; should the caller die, they begin by themselves). Keys are the
    `caller`'s own; `requested_by` is what people read instead of it (up to 100 characters).
    Raises DatabaseUnavailableError; then nothing was taken and the same call may be made again.
    """
    forms = [_read(item) for item in asked]
    with parts.database.begin() as tx:
        by = requested_by or caller
        batch = _Batch(parts, tx, caller=caller, by=by, source=source, at=now(tx), hold=hold)
        taken = batch.judge(asked, forms, keep_refusals=keep_refusals)
    for lane in batch.lanes if hold is None else ():
        parts.wakeup.ring(*lane)
    return taken


def release_held(parts: Parts, ids: Sequence[str]) -> None:
    """Let a held batch begin."""
    with parts.database.begin() as tx:
        for start in range(0, len(ids), 1000):
            requests.release_batch(tx, ids[start : start + 1000], now=now(tx))


def _read(item: Asked) -> RefundForm | Refusal:
    if not (1 <= len(item.key) <= KEY_LIMIT and item.key.isascii() and item.key.isprintable()):
        detail = f"must be 1 to {KEY_LIMIT} printable ASCII characters"
        return Refusal.of(Cause.INVALID, KEY_POINTER, detail)
    if what := found_in(item.key):
        return Refusal.of(Cause.INVALID, KEY_POINTER, f"holds {what}: take another key")
    return read(RefundForm, item.document)


def _digest(item: Asked, form: RefundForm | Refusal) -> str:
    if isinstance(form, Refusal):
        # Even a digest must not be of card data: those are few enough to try all.
        harmless = redacted(item.document) if not_kept(item.document) else item.document
        content = json.dumps(harmless, sort_keys=True, default=str).encode(errors="replace")
    else:
        content = rfc8785.dumps(form.model_dump(mode="json", exclude_unset=True))
    return hashlib.sha256(item.kind.encode() + b"\n" + content).hexdigest()


class _Batch:
    """One transaction of intake. `answers` holds what each key stands for: a refund's id, or a refusal."""

    def __init__(
        self, parts: Parts, tx: Tx, *, caller: str, by: str, source: str, at: datetime, hold: timedelta | None
    ) -> None:
        self.parts = parts
        self.tx = tx
        self.caller = caller
        self.by = by
        self.source = source
        self.at = at
        self.due_at = at + (hold or timedelta())
        self.known = accounts.get_all(tx)
        self.payments: dict[str, Payment] = {}
        self.voided: set[str] = set()
        self.brought: list[str] = []
        self.misfits: dict[int, Refusal] = {}
        self.rows: list[dict[str, Any]] = []
        self.answers: dict[str, str | Refusal] = {}
        self.hashes: dict[str, str] = {}

    @property
    def lanes(self) -> set[tuple[str, str]]:
        """Where the new refunds wait."""
        return {(row["account"], row["gateway"]) for row in self.rows}

    def judge(
        self, asked: Sequence[Asked], forms: Sequence[RefundForm | Refusal], *, keep_refusals: bool
    ) -> list[Taken]:
        """Verdicts in order, everything written."""
        hashes = [_digest(item, form) for item, form in zip(asked, forms, strict=True)]
        keys = {
            item.key: digest
            for item, form, digest in reversed(list(zip(asked, forms, hashes, strict=True)))
            if isinstance(form, RefundForm) or (keep_refusals and form.errors[0].pointer != KEY_POINTER)
        }
        before = self._read_log(keys)
        self._lock_payments([form for form in forms if isinstance(form, RefundForm)])
        verdicts: list[tuple[str | Refusal, bool]] = []
        for item, form, digest in zip(asked, forms, hashes, strict=True):
            repeated = item.key in self.answers
            if repeated and self.hashes[item.key] != digest:
                verdicts.append((_REUSED, False))
                continue
            if not repeated:
                verdict = form if isinstance(form, Refusal) else self._judge_one(item, form)
                self.answers[item.key], self.hashes[item.key] = verdict, digest
            verdicts.append((self.answers[item.key], repeated))
        used = {row["payment_id"] for row in self.rows}
        payments.remove(self.tx, [id_ for id_ in self.brought if id_ not in used])
        requests.add_refunds(self.tx, self.rows, actor_why=f"taken in by {self.source}")
        self._write_log([key for key in keys if key not in before], keep_refusals=keep_refusals)
        stored = refunds.get_many(self.tx, [told for told, _ in verdicts if isinstance(told, str)])
        return [
            replace(told, repeated=repeated)
            if isinstance(told, Refusal)
            else Accepted(stored[told], repeated)
            for told, repeated in verdicts
        ]

    def _read_log(self, keys: Mapping[str, str]) -> set[str]:
        """Take the keys; the ones that stood for something already bring their answers."""
        if not keys:
            return set()
        wanted = [(self.caller, key, digest) for key, digest in keys.items()]
        for (_, key), logged in requests.take_keys(self.tx, wanted, now=self.at).items():
            self.hashes[key] = logged.body_hash
            self.answers[key] = Refusal.kept(logged.problem) if logged.problem else logged.refund_id or ""
        return set(self.answers)

    def _write_log(self, fresh: Sequence[str], *, keep_refusals: bool) -> None:
        kept, forgotten = [], []
        for key in fresh:
            verdict = self.answers[key]
            row: dict[str, Any] = {"caller": self.caller, "key": key, "refund_id": None, "problem": None}
            if isinstance(verdict, str):
                kept.append({**row, "refund_id": verdict})
            elif keep_refusals:
                kept.append({**row, "problem": verdict.document()})
            else:
                forgotten.append((self.caller, key))
        requests.answer_keys(self.tx, kept)
        requests.forget_keys(self.tx, forgotten)

    def _lock_payments(self, forms: Sequence[RefundForm]) -> None:
        """Register what came along, then lock every payment that may be meant, in id order."""
        for form in forms:
            if form.payment is not None:
                [registered] = register_forms(self.parts, self.tx, [form.payment])
                if isinstance(registered, Refusal):
                    self.misfits[id(form)] = registered
                elif registered.created:
                    self.brought.append(registered.payment.id)
        wanted: dict[str, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
        for form in forms:
            order_id, transaction_id = _names(form)
            if transaction_id is not None:
                wanted[form.account][1].add(transaction_id)
            elif order_id is not None:
                wanted[form.account][0].add(order_id)
        ids: list[str] = []
        for account, (orders, transactions) in wanted.items():
            found = payments.find(
                self.tx, account=account, order_ids=sorted(orders), transaction_ids=sorted(transactions)
            )
            ids += [payment.id for payment in found]
        self.payments = payments.lock(self.tx, ids)
        self.voided = payments.with_active_void(self.tx, ids)

    def _judge_one(self, item: Asked, form: RefundForm) -> str | Refusal:
        misfit = self.misfits.get(id(form))
        if misfit is not None:
            return misfit
        account = self.known.get(form.account)
        if account is None:
            detail = f"there is no account {form.account!r}"
            return Refusal.of(Cause.ACCOUNT_UNKNOWN, "/account", detail)
        payment = self._payment(form)
        if isinstance(payment, Refusal):
            return payment
        if payment.id in self.voided:
            return Refusal.of(Cause.NOT_VOIDABLE, "/transaction_id", "a void has taken this payment")
        wrong = not_possible(self.parts, form, account, payment, kind=item.kind)
        if wrong is not None:
            return wrong
        amount = amount_asked(form, payment, kind=item.kind)
        if isinstance(amount, Refusal):
            return amount
        return self._accept(item, form, payment, amount)

    def _payment(self, form: RefundForm) -> Payment | Refusal:
        order_id, transaction_id = _names(form)
        found = [
            payment
            for payment in self.payments.values()
            if payment.account == form.account
            and order_id in {None, payment.order_id}
            and transaction_id in {None, payment.transaction_id}
            and form.gateway in {None, payment.gateway}
        ]
        if len(found) == 1:
            return found[0]
        pointer = "/transaction_id" if transaction_id else "/order_id"
        if not found:
            return Refusal.of(Cause.PAYMENT_UNKNOWN, pointer, "there is no such payment")
        return Refusal.of(Cause.PAYMENT_AMBIGUOUS, pointer, "this fits several payments: name one")

    def _accept(self, item: Asked, form: RefundForm, payment: Payment, amount: int) -> str:
        refund_id = f"rf_{ULID()}"
        if item.kind is Kind.VOID:
            self.voided.add(payment.id)
        else:
            payments.reserve(self.tx, {payment.id: amount})
            balance = replace(payment.balance, reserved_minor=payment.balance.reserved_minor + amount)
            self.payments[payment.id] = replace(payment, balance=balance)
        self.rows.append(
            {
                "id": refund_id,
                "kind": item.kind,
                "account": payment.account,
                "gateway": payment.gateway,
                "payment_id": payment.id,
                "amount_minor": amount,
                "currency": payment.currency,
                "status": Status.REQUESTED,
                "due_at": self.due_at,
                "reason": form.reason,
                "request": form.model_dump(mode="json", exclude_unset=True, exclude={"payment", "reason"}),
                "requested_by": self.by,
                "created_at": self.at,
                "updated_at": self.at,
            },
        )
        return refund_id


_REUSED = Refusal.of(Cause.KEY_REUSED, KEY_POINTER, "this key stands for another request")


def _names(form: RefundForm) -> tuple[str | None, str | None]:
    """(order_id, transaction_id), filled up from a payment that came along."""
    brought = form.payment
    return (
        form.order_id or (brought.order_id if brought else None),
        form.transaction_id or (brought.transaction_id if brought else None),
    )
