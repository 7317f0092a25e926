"""Sums: what a group of verdicts moves on its payments."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from refunds.domain.judge import Reservation
from refunds.domain.status import Kind, Status
from refunds.store.recordset import Write
from refunds.store.settled import Settled

_HOLDS_SLOT = {Status.ATTEMPTING, Status.IN_DOUBT, Status.NEEDS_REVIEW}

_PAYMENT = {
    "id": "text",
    "reserved": "bigint",
    "refunded": "bigint",
    "external": "bigint",
    "late": "integer",
    "slots": "text",
    "voided": "integer",
}

_MOVES = {
    Reservation.KEEP: (0, 0, 0),
    Reservation.BOOK: (-1, 1, 0),
    Reservation.RELEASE: (-1, 0, 0),
    Reservation.TAKE_BACK: (1, -1, 0),
    Reservation.BOOK_LATE: (0, 1, 0),
    Reservation.BOOK_EXTERNAL: (0, 1, -1),
}
"""How often the amount is added to the payment's reserved, refunded and external sum."""


def move_money(booked: Sequence[Settled]) -> Write:
    """Move money between sums and free slots: one row a payment, however many of its refunds there are.

    Money that turns up late may be more than was captured: that, and nothing else, raises the excess.
    """
    rows: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"reserved": 0, "refunded": 0, "external": 0, "late": 0, "slots": "", "voided": 0},
    )
    for item in booked:
        claim, verdict = item.claim, item.verdict
        row = rows[claim.payment_id]
        if claim.kind is Kind.REFUND:
            for name, times in zip(
                ("reserved", "refunded", "external"), _MOVES[verdict.reservation], strict=True
            ):
                row[name] += times * claim.amount_minor
            row["late"] |= verdict.reservation is Reservation.BOOK_LATE
        if verdict.status is Status.VOIDED:
            row["voided"] = 1
        if verdict.free_slot and claim.status in _HOLDS_SLOT:
            row["slots"] += f",{claim.refund_id},"
    total = """payments.reserved_minor + v.reserved + payments.refunded_minor + v.refunded
                + payments.external_minor + v.external + payments.disputed_minor - payments.captured_minor"""
    return Write(
        f"""UPDATE payments SET
            reserved_minor = reserved_minor + v.reserved, refunded_minor = refunded_minor + v.refunded,
            external_minor = external_minor + v.external,
            excess_minor = CASE WHEN v.late = 1 AND {total} > excess_minor THEN {total} ELSE excess_minor END,
            slot = CASE WHEN v.slots LIKE '%,' || payments.slot || ',%' THEN NULL ELSE payments.slot END,
            status = CASE WHEN v.voided = 1 THEN 'voided' ELSE payments.status END
        FROM {{source}} WHERE payments.id = v.id AND {{among}}""",
        _PAYMENT,
        [{"id": id_, **row, "late": int(row["late"])} for id_, row in rows.items()],
        "payments.id",
    )
