"""What the sandbox answers, and the manner in which the answer reaches the client or does not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import ValidationError

from refunds.sandbox.records import Refund
from refunds.sandbox.script import pointer


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer with a JSON body; `moved`: this very request moved or promised money."""

    status: int
    body: str
    moved: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


class Manner(StrEnum):
    """How the answer leaves."""

    WHOLE = "whole"
    CLOSED = "closed"
    """Not at all: the connection is closed."""
    GARBAGE = "garbage"
    """With its status, and a body that is no JSON."""
    HALF = "half"
    """Cut in the middle of the body."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, its manner, and the real seconds before it; meanwhile the key counts as in use."""

    answer: Answer
    manner: Manner = Manner.WHOLE
    seconds: float = 0.0

    @property
    def told_status(self) -> int | None:
        """The status the client gets to see, if any."""
        return None if self.manner is Manner.CLOSED else self.answer.status


def told(refund: Refund) -> dict[str, object]:
    """A refund as clients see it."""
    return {
        "id": refund.id,
        "reference": refund.reference,
        "key": refund.key,
        "transaction_id": refund.transaction_id,
        "kind": refund.kind,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "status": refund.status,
        "code": refund.code,
        "created_at": refund.created_at,
    }


def error(status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> Answer:
    """A refusal."""
    return Answer(status, json.dumps({"error": {"code": code, "message": message}}), headers=headers or {})


def invalid(wrong: ValidationError) -> Answer:
    """400 that names every wrong field by its JSON pointer."""
    errors = wrong.errors(include_url=False, include_input=False, include_context=False)
    return error(400, "invalid_request", "; ".join(f"{pointer(each)}: {each['msg']}" for each in errors))


def unknown_payment_answer() -> Answer:
    """404 for a payment the sandbox has not."""
    return error(404, "payment_unknown", "there is no such payment")
