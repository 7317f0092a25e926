"""Refunds: ask for one, see them, decide about one."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from refunds.domain.status import Status
from refunds.flow import decide, operate, reading
from refunds.flow.answers import refund_answer
from refunds.flow.intake import KEY_LIMIT, Asked, take_in
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.request import RefundForm
from refunds.flow.scopes import OPERATE, REFUNDS_READ, REFUNDS_WRITE
from refunds.store.refunds import Refund
from refunds.store.tokens import Token
from web.api import contract, documents
from web.api.access import IdempotencyKey, Needs, OurParts, signature
from web.api.body import RawBody, read_document
from web.api.forms import Decision, RefundQuery, Resolution, read_decision
from web.api.kinds import Fault
from web.api.lists import list_answer
from web.api.problems import ProblemError

router = APIRouter(prefix="/v1/refunds", tags=["refunds"])

REPLAYED = "Idempotent-Replayed"

_KEY_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "New for each refund, the same when trying again; quoted or bare.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LIMIT, "pattern": "^[ -~]+$"},
    "example": "order-536379-return-1",
}
_REFUND_EXAMPLES = {
    "an amount": {"order_id": "536379", "amount": "12.75", "currency": "GBP", "reason": "goods returned"},
    "all that is left": {"transaction_id": "pay_536379"},
    "with a payment not known yet": {
        "amount_minor": 1275,
        "payment": {
            "order_id": "536379",
            "transaction_id": "pay_536379",
            "captured_amount": "255.00",
            "currency": "GBP",
        },
    },
}
_DECISION_EXAMPLES = {"a decision": {"reason": "the customer called, her bank is back"}}
_RESOLUTION_EXAMPLES = {
    "found paid": {"as": "refunded", "reference": "sre_4f1c", "reason": "seen on the gateway's own pages"},
    "to be sent again": {"as": "queued", "reason": "the gateway's support says that nothing arrived"},
}


@router.post(
    "",
    status_code=202,
    summary="Ask for a refund",
    description="Needs `refunds:write`. 202 means kept: the refund is committed and will be tried at once.",
    response_model=documents.Refund,
    openapi_extra=contract.takes(RefundForm, _KEY_PARAMETER, examples=_REFUND_EXAMPLES),
    responses=contract.answers(
        Fault.KEY_MISSING,
        Fault.KEY_INVALID,
        *(cause for cause in Cause if cause not in {Cause.REFUND_UNKNOWN, Cause.WRONG_STATUS}),
        body=True,
        also={
            202: {
                "headers": {
                    "Location": contract.header("where the refund is"),
                    REPLAYED: contract.header("`true` where the key stood for this refund already"),
                },
            },
        },
    ),
)
def create_refund(
    parts: OurParts,
    caller: Annotated[Token, Depends(Needs(REFUNDS_WRITE))],
    key: IdempotencyKey,
    raw: RawBody,
) -> JSONResponse:
    """Take one in."""
    asked = Asked(key, read_document(raw))
    [taken] = take_in(
        parts, [asked], caller=f"token:{caller.name}", requested_by=signature(caller), source="http"
    )
    if isinstance(taken, Refusal):
        raise ProblemError.refused(taken)
    headers = {"Location": f"{router.prefix}/{taken.refund.id}"}
    if taken.repeated:
        headers[REPLAYED] = "true"
    return JSONResponse(refund_answer(taken.refund), status_code=202, headers=headers)


@router.get(
    "",
    summary="List refunds",
    description="Needs `refunds:read`. Newest first; the header Link leads to the next page.",
    response_model=documents.RefundList,
    responses=contract.answers(
        Cause.INVALID, also={200: {"headers": {"Link": contract.header("the next page, RFC 8288")}}}
    ),
    dependencies=[Depends(Needs(REFUNDS_READ))],
)
def list_refunds(request: Request, parts: OurParts, query: Annotated[RefundQuery, Query()]) -> JSONResponse:
    """One page."""
    page = reading.list_refunds(parts, query.filters, query.after, query.limit)
    return list_answer(request, [refund_answer(refund) for refund in page.items], page.next)


_ID = re.compile(r"rf_[0-9A-Z]{26}")


async def _known_form(refund_id: str) -> str:
    if not _ID.fullmatch(refund_id):
        raise _unknown()
    return refund_id


RefundId = Annotated[str, Depends(_known_form)]


@router.get(
    "/{refund_id}",
    summary="Show a refund",
    description="Needs `refunds:read`.",
    response_model=documents.Refund,
    responses=contract.answers(Cause.REFUND_UNKNOWN),
    dependencies=[Depends(Needs(REFUNDS_READ))],
)
def show_refund(parts: OurParts, refund_id: RefundId) -> JSONResponse:
    """One refund."""
    refund = reading.get_refund(parts, refund_id)
    if refund is None:
        raise _unknown()
    return JSONResponse(refund_answer(refund))


@router.post(
    "/{refund_id}/retry",
    summary="Try a refund now",
    description="Needs `operate`. One extra attempt at once; the schedule of a queued refund stays as it is.",
    response_model=documents.Refund,
    openapi_extra=contract.takes(Decision, examples=_DECISION_EXAMPLES),
    responses=contract.answers(Cause.REFUND_UNKNOWN, Cause.WRONG_STATUS, Cause.EXCEEDS_REMAINING, body=True),
)
def retry_refund(
    parts: OurParts,
    caller: Annotated[Token, Depends(Needs(OPERATE))],
    refund_id: RefundId,
    raw: RawBody,
) -> JSONResponse:
    """Try now."""
    decision = read_decision(Decision, read_document(raw))
    return _decided(operate.retry_now(parts, refund_id, actor=signature(caller), reason=decision.reason))


@router.post(
    "/{refund_id}/cancel",
    summary="Cancel a refund",
    description="Needs `operate`. Gives up a refund that is not under way; its amount is refundable again.",
    response_model=documents.Refund,
    openapi_extra=contract.takes(Decision, examples=_DECISION_EXAMPLES),
    responses=contract.answers(Cause.REFUND_UNKNOWN, Cause.WRONG_STATUS, body=True),
)
def cancel_refund(
    parts: OurParts,
    caller: Annotated[Token, Depends(Needs(OPERATE))],
    refund_id: RefundId,
    raw: RawBody,
) -> JSONResponse:
    """Cancel."""
    decision = read_decision(Decision, read_document(raw))
    return _decided(operate.cancel(parts, refund_id, actor=signature(caller), reason=decision.reason))


@router.post(
    "/{refund_id}/restart",
    summary="Start a refund over",
    description="Needs `operate`. Gives a failed refund a new episode: all its daily tries anew.",
    response_model=documents.Refund,
    openapi_extra=contract.takes(Decision, examples=_DECISION_EXAMPLES),
    responses=contract.answers(
        *(Cause.REFUND_UNKNOWN, Cause.WRONG_STATUS, Cause.EXCEEDS_REMAINING, Cause.NOT_VOIDABLE), body=True
    ),
)
def restart_refund(
    parts: OurParts,
    caller: Annotated[Token, Depends(Needs(OPERATE))],
    refund_id: RefundId,
    raw: RawBody,
) -> JSONResponse:
    """Start over."""
    decision = read_decision(Decision, read_document(raw))
    return _decided(decide.start_over(parts, refund_id, actor=signature(caller), reason=decision.reason))


@router.post(
    "/{refund_id}/resolve",
    summary="Settle a refund that needs review",
    description="Needs `operate`. What was paid needs its reference; the history keeps who said so and why.",
    response_model=documents.Refund,
    openapi_extra=contract.takes(Resolution, examples=_RESOLUTION_EXAMPLES),
    responses=contract.answers(Cause.INVALID, Cause.REFUND_UNKNOWN, Cause.WRONG_STATUS, body=True),
)
def resolve_refund(
    parts: OurParts,
    caller: Annotated[Token, Depends(Needs(OPERATE))],
    refund_id: RefundId,
    raw: RawBody,
) -> JSONResponse:
    """Settle by a person's word."""
    said = read_decision(Resolution, read_document(raw))
    return _decided(
        decide.resolve_as(
            parts,
            refund_id,
            new=Status(said.as_),
            actor=signature(caller),
            reason=said.reason,
            reference=said.reference,
        )
    )


def _decided(answer: Refund | Refusal) -> JSONResponse:
    if isinstance(answer, Refusal):
        raise ProblemError.refused(answer)
    return JSONResponse(refund_answer(answer))


def _unknown() -> ProblemError:
    return ProblemError(Cause.REFUND_UNKNOWN, "there is no refund of this id")
