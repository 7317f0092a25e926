"""What to do: the steps for each kind of notice, and what is behind a gateway's code.

A step may name only a command that exists and that the refund's status allows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from refunds.domain.notice import NoticeKind
from refunds.domain.status import Kind


@dataclass(frozen=True, slots=True)
class Step:
    """One step; `{refund_id}`, `{amount}`, `{gateway}` and `{payment}` are filled in."""

    text: str
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """`short` is for the subject, `sentence` says what is behind it and what helps."""

    short: str
    sentence: str


DEFAULT_ADVICE: Final = "moneyback does not know this code; the gateway's documentation explains it."

_SHOW = Step("The whole record:", "moneyback refund show {refund_id}")
_LIST = Step("See what else is waiting:", "moneyback refund list")
_CANCEL_FIRST = Step(
    "To pay another way, cancel here FIRST, else the customer may be paid twice:",
    'moneyback refund cancel {refund_id} --reason "to be paid another way"',
)
_CANCEL_BANK = Step(
    "If the bank has already paid the customer back (dispute, RDR), pay nothing: cancel here, and refund it"
    " nowhere again (its amount becomes refundable here again):",
    'moneyback refund cancel {refund_id} --reason "refunded by the bank"',
)
_RETRY = Step(
    "Or INSTEAD, if the cause is gone, let moneyback try once more:",
    'moneyback refund retry {refund_id} --reason "cause removed"',
)
_IS_PAID = Step(
    "If this refund of {amount} stands there, the customer is being paid: pay nothing more, and record it"
    " here with {gateway}'s own reference:",
    'moneyback refund resolve {refund_id} --as refunded --reference REFERENCE --reason "seen at the gateway"',
)
_SEND_AGAIN = Step(
    "Only if it is certain that it was not and will not be paid there, have it sent again, under a new key:",
    'moneyback refund resolve {refund_id} --as queued --reason "surely not paid"',
)
_GIVE_UP = Step(
    "Or give it up here, so that it can be paid another way:",
    'moneyback refund resolve {refund_id} --as cancelled --reason "surely not paid"',
)
_BANK_PAID = Step(
    "If the customer has the money, or a dispute is open, pay nothing, and record it here:",
    'moneyback refund resolve {refund_id} --as cancelled --reason "refunded by the bank"',
)
_IS_VOIDED = Step(
    "If it is voided, record it here with {gateway}'s reference:",
    'moneyback refund resolve {refund_id} --as voided --reference REFERENCE --reason "seen at the gateway"',
)
_VOID_AGAIN = Step(
    "If it surely is still authorised, have the void sent again:",
    'moneyback refund resolve {refund_id} --as queued --reason "surely not voided"',
)
_UNCERTAIN_VOID = Step(
    "Do NOT pay the customer anything before that is certain: what was voided was never charged."
)
_NOT_THROUGH = Step(
    "Find out why no try gets through: {gateway}'s status page, our credentials, a pause we set."
    " moneyback goes on by itself as soon as that is solved."
)

_REFUND_STEPS: Final[Mapping[NoticeKind, tuple[Step, ...]]] = {
    NoticeKind.FAILED: (
        Step("If the bank has already paid the customer back (dispute, RDR): do NOT pay again."),
        Step(
            "Else pay {amount} another way (bank transfer, cheque, store credit), and never retry this"
            " refund afterwards."
        ),
        _SHOW,
        _RETRY,
    ),
    NoticeKind.OUTCOME_UNKNOWN: (
        Step(
            "On {gateway}'s own pages open payment {payment}:"
            " does it show a refund of {amount} (our reference {refund_id})?"
        ),
        _IS_PAID,
        Step(
            "Do NOT pay another way before it is certain that it will not be paid there. If you cannot tell,"
            " wait, and ask {gateway}'s support: waiting pays nobody twice."
        ),
        _SEND_AGAIN,
        _GIVE_UP,
        _SHOW,
    ),
    NoticeKind.REFUSED_EARLY: (
        Step("You may leave it: moneyback tries again by itself and tells you when it gives up."),
        _CANCEL_FIRST,
        _CANCEL_BANK,
        _SHOW,
    ),
    NoticeKind.STILL_UNPAID: (_NOT_THROUGH, _LIST, _CANCEL_FIRST, _SHOW),
    NoticeKind.NEEDS_REVIEW: (
        Step(
            "On {gateway}'s own pages open payment {payment}: is there a dispute, or a refund that"
            " somebody made there?"
        ),
        _IS_PAID,
        _BANK_PAID,
        Step("Do NOT pay before it is certain that the customer has nothing and will get nothing."),
        _SEND_AGAIN,
        _SHOW,
    ),
    NoticeKind.TAKEN_BACK: (
        Step(
            "See on {gateway}'s own pages of payment {payment} why the money came back: a closed account,"
            " our balance there, a dispute?"
        ),
        Step("If it is queued, you may leave it: moneyback tries again by itself and tells you how it ends."),
        _CANCEL_FIRST,
        Step(
            "If it waits for a decision, pay {amount} another way, and record that here:",
            "moneyback refund resolve {refund_id} --as refunded_externally --reference REFERENCE"
            ' --reason "paid another way"',
        ),
        _SHOW,
    ),
    NoticeKind.PAID_ANYWAY: (
        Step("Pay nothing more."),
        Step(
            "If {amount} was paid another way too, the customer was paid twice: ask for it back, or stop"
            " the other payment."
        ),
        _SHOW,
    ),
    NoticeKind.RESOLVED: (
        Step("Pay nothing more."),
        Step("If somebody paid another way since the alarm, the customer was paid twice: ask for it back."),
        _SHOW,
    ),
}

_VOID_STEPS: Final[Mapping[NoticeKind, tuple[Step, ...]]] = {
    NoticeKind.FAILED: (
        Step("Release payment {payment} on {gateway}'s own pages, or let its authorisation lapse."),
        Step("If it was captured meanwhile, request a refund instead."),
        _SHOW,
        _RETRY,
    ),
    NoticeKind.OUTCOME_UNKNOWN: (
        Step("On {gateway}'s own pages open payment {payment}: is it voided, still authorised, or captured?"),
        _IS_VOIDED,
        _VOID_AGAIN,
        _UNCERTAIN_VOID,
        _SHOW,
    ),
    NoticeKind.REFUSED_EARLY: (
        Step("You may leave it: moneyback tries again by itself and tells you when it gives up."),
        Step(
            "To release it on {gateway}'s own pages, cancel here FIRST:",
            'moneyback refund cancel {refund_id} --reason "released at the gateway"',
        ),
        _SHOW,
    ),
    NoticeKind.STILL_UNPAID: (_NOT_THROUGH, _LIST, _SHOW),
    NoticeKind.NEEDS_REVIEW: (
        Step("On {gateway}'s own pages open payment {payment}: what became of it?"),
        _IS_VOIDED,
        _VOID_AGAIN,
        _UNCERTAIN_VOID,
        _SHOW,
    ),
    NoticeKind.TAKEN_BACK: (
        Step("On {gateway}'s own pages open payment {payment}: is it voided, still authorised, or captured?"),
        _UNCERTAIN_VOID,
        _SHOW,
    ),
    NoticeKind.PAID_ANYWAY: (
        Step("Nothing is held on the customer's card any more: release it nowhere else."),
        _SHOW,
    ),
    NoticeKind.RESOLVED: (Step("Nothing is left to do."), _SHOW),
}

_CLOSED = Cause("card closed", "The card can no longer take a refund.")
_ACCOUNT_CLOSED = Cause("account closed", "The customer's account can no longer take a refund.")
_DECLINED = Cause("declined", "The customer's bank refused the refund without saying why.")
_FUNDS = Cause(
    "our balance too low", "Our balance at the gateway is too low; once topped up, a try can succeed."
)
_DISPUTED = Cause("disputed", "A dispute is open: the bank may have paid the customer back already.")
_ELSEWHERE = Cause("refunded elsewhere", "The gateway says that this payment has already been refunded.")
_TOO_MUCH = Cause("more than is left", "The gateway says that less than this is left of the payment.")
_TOO_LATE = Cause("too late", "The gateway no longer refunds a payment of this age.")

_CAUSES: Final[Mapping[str, Cause]] = {
    "expired_or_canceled_card": _CLOSED,
    "card_closed": _CLOSED,
    "account_closed": _ACCOUNT_CLOSED,
    "payer_account_locked_or_closed": _ACCOUNT_CLOSED,
    "lost_or_stolen_card": Cause("card lost or stolen", "The card was reported and takes no refund."),
    "declined": _DECLINED,
    "issuer_declined": _DECLINED,
    "insufficient_funds": _FUNDS,
    "balance_insufficient": _FUNDS,
    "refund_failed_insufficient_funds": _FUNDS,
    "charge_disputed": _DISPUTED,
    "disputed": _DISPUTED,
    "charge_for_pending_refund_disputed": _DISPUTED,
    "transaction_disputed": _DISPUTED,
    "refund_not_permitted_due_to_chargeback": _DISPUTED,
    "charge_already_refunded": _ELSEWHERE,
    "already_refunded": _ELSEWHERE,
    "unknown_refunds": Cause(
        "refunds unknown here",
        "A backup was restored, and the gateway shows refunds that this database does not know: moneyback may"
        " have made them before.",
    ),
    "already_voided": Cause("voided already", "The payment is voided: nothing was charged."),
    "already_captured": Cause("captured already", "The payment is captured: it can be refunded, not voided."),
    "not_captured": Cause("not captured", "The payment is not captured: it can be voided, not refunded."),
    "duplicate_suspected": Cause(
        "taken for a duplicate", "The gateway takes it for the twin of a refund made a moment ago."
    ),
    "capture_fully_refunded": _ELSEWHERE,
    "amount_too_large": _TOO_MUCH,
    "refund_amount_exceeded": _TOO_MUCH,
    "refund_time_limit_exceeded": _TOO_LATE,
    "payment_unknown": Cause("payment not found", "The gateway does not know this payment."),
    "resource_missing": Cause("payment not found", "The gateway does not know this payment."),
    "resource_not_found": Cause("payment not found", "The gateway does not know this payment."),
    "proven_absent": Cause(
        "never arrived", "The last try got no answer, and look-ups proved that it had no effect."
    ),
}


def steps_for(kind: NoticeKind, refund_kind: Kind) -> tuple[Step, ...]:
    """The steps of DO NEXT, in order."""
    return (_VOID_STEPS if refund_kind is Kind.VOID else _REFUND_STEPS)[kind]


def cause_of(code: str) -> Cause | None:
    """What is behind a gateway's code, however it is spelt; None for a code that is not known."""
    return _CAUSES.get(re.sub(r"[^a-z0-9]+", "_", code.lower()).strip("_"))
