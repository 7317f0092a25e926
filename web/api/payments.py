"""Payments: register one, see them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from refunds.flow import reading
from refunds.flow.answers import payment_answer
from refunds.flow.payments import register
from refunds.flow.refusal import Cause, Refusal
from refunds.flow.request import PaymentForm
from refunds.flow.scopes import PAYMENTS_READ, PAYMENTS_WRITE
from web.api import contract, documents
from web.api.access import Needs, OurParts
from web.api.body import RawBody, read_document
from web.api.forms import PaymentQuery
from web.api.lists import list_answer
from web.api.problems import ProblemError

router = APIRouter(prefix="/v1/payments", tags=["payments"])

_EXAMPLES = {
    "captured": {
        "order_id": "536379",
        "transaction_id": "pay_536379",
        "captured_amount": "255.00",
        "currency": "GBP",
        "items": [{"sku": "22423", "quantity": 20, "unit_price": "12.75"}],
    },
    "authorized only": {
        "order_id": "536380",
        "transaction_id": "pay_536380",
        "status": "authorized",
        "authorized_amount": "40.00",
        "currency": "GBP",
    },
}


@router.post(
    "",
    status_code=201,
    summary="Register a payment",
    description="Needs `payments:write`. Safe to repeat: 201 where it is new, 200 where it was known.",
    response_model=documents.Payment,
    openapi_extra=contract.takes(PaymentForm, examples=_EXAMPLES),
    responses=contract.answers(
        Cause.PAYMENT_MISMATCH,
        Cause.GATEWAY_UNKNOWN,
        Cause.ACCOUNT_UNKNOWN,
        body=True,
        also={200: {"model": documents.Payment, "description": "It was known already"}},
    ),
    dependencies=[Depends(Needs(PAYMENTS_WRITE))],
)
def register_payment(parts: OurParts, raw: RawBody) -> JSONResponse:
    """Take one in."""
    [registered] = register(parts, [read_document(raw)])
    if isinstance(registered, Refusal):
        raise ProblemError.refused(registered)
    status = 201 if registered.created else 200
    return JSONResponse(payment_answer(registered.payment), status_code=status)


@router.get(
    "",
    summary="List payments",
    description="Needs `payments:read`. Newest last; the header Link leads to the next page.",
    response_model=documents.PaymentList,
    responses=contract.answers(
        Cause.INVALID, also={200: {"headers": {"Link": contract.header("the next page, RFC 8288")}}}
    ),
    dependencies=[Depends(Needs(PAYMENTS_READ))],
)
def list_payments(request: Request, parts: OurParts, query: Annotated[PaymentQuery, Query()]) -> JSONResponse:
    """One page."""
    page = reading.list_payments(parts, query.filters, query.after, query.limit)
    return list_answer(request, [payment_answer(payment) for payment in page.items], page.next)
