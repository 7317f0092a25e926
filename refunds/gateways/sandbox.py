"""The sandbox gateway, as its own page says (refunds/sandbox): grades A to D by configuration."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

from refunds.domain.abilities import Abilities, Grade
from refunds.domain.outcome import SEVERAL_REFUNDS, Answer, Finding, LookUpAnswer, Outcome, Reason
from refunds.domain.status import Kind
from refunds.gateways.transport import Lost, NotSent, Reply, Transport
from refunds.ports import Call

_DECLINES = {
    "disputed": Reason.DISPUTED,
    "already_refunded": Reason.REFUNDED_ELSEWHERE,
    "already_voided": Reason.REFUNDED_ELSEWHERE,
    "amount_too_large": Reason.REFUNDED_ELSEWHERE,
    "card_closed": Reason.PERMANENT,
    "account_closed": Reason.PERMANENT,
    "already_captured": Reason.PERMANENT,
    "not_captured": Reason.PERMANENT,
    "payment_unknown": Reason.PERMANENT,
    "duplicate_suspected": Reason.PASSING,
    "insufficient_funds": Reason.PASSING,
    "issuer_declined": Reason.PASSING,
}
"""Refusals that prove that nothing moved. A code that is not here is unknown, never declined."""

_TURNED_AWAY = {
    401: "credentials_refused",
    403: "credentials_refused",
    429: "rate_limited",
}
"""The sandbox answers these before it processes anything."""

_STATES = {"succeeded": Outcome.REFUNDED, "pending": Outcome.ACCEPTED, "failed": Outcome.DECLINED}


class SandboxGateway:
    """Gateway port onto the sandbox server."""

    def __init__(
        self,
        transport: Transport,
        *,
        grade: Grade,
        key_life: timedelta,
        settling: timedelta,
    ) -> None:
        self._transport = transport
        self._abilities = Abilities(
            key_life=key_life if grade in {Grade.KEY_AND_LOOK_UP, Grade.KEY} else None,
            look_up=grade in {Grade.KEY_AND_LOOK_UP, Grade.LOOK_UP},
            settling=settling,
            final_within=timedelta(days=7),
            void=True,
        )

    @property
    def abilities(self) -> Abilities:
        """As configured by grade."""
        return self._abilities

    async def pay(self, call: Call) -> Answer:
        """POST the refund or void once."""
        act = "void" if call.kind is Kind.VOID else "refunds"
        reply = await self._transport.send(
            "POST",
            f"/v1/payments/{quote(call.transaction_id, safe='')}/{act}",
            body={
                "amount_minor": call.amount_minor,
                "currency": call.currency,
                "reference": call.reference,
                "order_id": call.order_id,
                "reason": call.reason,
            },
            headers={"Idempotency-Key": call.key} if self._abilities.key_life else None,
            may_send=call.may_send,
        )
        match reply:
            case NotSent():
                return Answer(
                    Outcome.UNAVAILABLE, reply.code, reply.text, sent=False, duration_ms=reply.duration_ms
                )
            case Lost():
                return Answer(Outcome.UNKNOWN, reply.code, reply.text, duration_ms=reply.duration_ms)
            case Reply():
                return _answer(call, reply)

    async def look_up(self, call: Call) -> LookUpAnswer:
        """GET our refunds of this payment."""
        payment, reference = (quote(text, safe="") for text in (call.transaction_id, call.reference))
        reply = await self._transport.send("GET", f"/v1/payments/{payment}/refunds?reference={reference}")
        if not isinstance(reply, Reply):
            return LookUpAnswer(Finding.UNCLEAR, reply.code, reply.text, duration_ms=reply.duration_ms)
        document = reply.document()
        if reply.status == 404 and _error(document)[0] == "payment_unknown":  # noqa: PLR2004 - HTTP
            return LookUpAnswer(Finding.ABSENT, "payment_unknown", duration_ms=reply.duration_ms)
        if reply.status != 200 or document is None:  # noqa: PLR2004 - HTTP
            code, text = _error(document)
            return LookUpAnswer(
                Finding.UNCLEAR, code or f"http_{reply.status}", text, duration_ms=reply.duration_ms
            )
        return _finding(call, document, reply.duration_ms)

    async def check(self) -> str | None:
        """GET /v1/ping with our key."""
        reply = await self._transport.send("GET", "/v1/ping")
        if isinstance(reply, Reply):
            return None if reply.status == 200 else f"answered {reply.status}"  # noqa: PLR2004 - HTTP
        return f"{reply.code}: {reply.text}"

    async def close(self) -> None:
        """Let go of the connections."""
        await self._transport.close()


def _answer(call: Call, reply: Reply) -> Answer:
    """A 503 is a refusal before processing only in the sandbox's own words; any other may come after it."""
    document = reply.document()
    common: dict[str, Any] = {
        "request_id": reply.headers.get("Request-Id"),
        "http_status": reply.status,
        "duration_ms": reply.duration_ms,
    }
    code, text = _error(document)
    if reply.status in _TURNED_AWAY or (reply.status == 503 and code == "unavailable"):  # noqa: PLR2004 - HTTP
        wish = reply.headers.get("Retry-After", "")
        seconds = float(wish) if wish.isascii() and wish.isdigit() else None
        return Answer(
            Outcome.UNAVAILABLE,
            _TURNED_AWAY.get(reply.status, code),
            text,
            retry_after_seconds=seconds,
            **common,
        )
    if reply.status in {402, 404, 409} and code in _DECLINES:
        return Answer(Outcome.DECLINED, code, text, reason=_DECLINES[code], **common)
    if reply.status not in {200, 201} or document is None:
        return Answer(Outcome.UNKNOWN, code or f"http_{reply.status}", text, **common)
    state = _STATES.get(str(document.get("status")))
    if state is None or not _is_ours(call, document):
        return Answer(Outcome.UNKNOWN, "answer_mismatch", "the answer is not about this refund", **common)
    code = str(document.get("code") or "") if state is Outcome.DECLINED else ""
    reason = _DECLINES.get(code, Reason.PASSING)
    return Answer(state, code, reference=document["id"], reason=reason, **common)


def _finding(call: Call, document: dict[str, Any], duration_ms: int) -> LookUpAnswer:
    """Our refunds of any generation count as paid; a failed one answers its own key or acceptance alone."""
    payment, entries = document.get("payment"), document.get("refunds")
    if not isinstance(payment, dict) or not isinstance(entries, list):
        return LookUpAnswer(Finding.UNCLEAR, "answer_mismatch", duration_ms=duration_ms)
    disputed = payment.get("disputed") is True
    refundable = _minor(payment.get("refundable_minor"))
    common: dict[str, Any] = {
        "disputed": disputed,
        "refunded_minor": _minor(payment.get("refunded_minor")),
        "refundable_minor": refundable,
        "duration_ms": duration_ms,
        "snapshot": {"refundable_minor": refundable, "refunds": len(entries)},
    }
    ours = [
        entry for entry in entries if isinstance(entry, dict) and entry.get("reference") == call.reference
    ]
    if sum(entry.get("status") in {"succeeded", "pending"} for entry in ours) > 1:
        return LookUpAnswer(Finding.UNCLEAR, SEVERAL_REFUNDS, "more than one refund of ours", **common)
    for state, finding in (("succeeded", Finding.REFUNDED), ("pending", Finding.ACCEPTED)):
        for entry in (entry for entry in ours if entry.get("status") == state):
            if not _is_ours(call, entry):
                return LookUpAnswer(Finding.UNCLEAR, "answer_mismatch", **common)
            return LookUpAnswer(finding, reference=entry["id"], **common)
    for entry in ours:
        answers = entry.get("key") == call.key or entry.get("id") == call.accepted_reference
        if entry.get("status") == "failed" and answers:
            code = str(entry.get("code") or "failed")
            return LookUpAnswer(Finding.DECLINED, code, reason=_DECLINES.get(code, Reason.PASSING), **common)
    return LookUpAnswer(Finding.ABSENT, **common)


def _minor(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _is_ours(call: Call, entry: dict[str, Any]) -> bool:
    """It answers for this very refund, and has an id by which people find it at the gateway."""
    return (
        isinstance(entry.get("id"), str)
        and entry["id"] != ""
        and entry.get("reference") == call.reference
        and entry.get("amount_minor") == call.amount_minor
        and entry.get("currency") == call.currency
        and entry.get("transaction_id") == call.transaction_id
    )


def _error(document: dict[str, Any] | None) -> tuple[str, str]:
    """Uncut: half a card number could not be told any more. The flow bounds what it keeps."""
    error = (document or {}).get("error")
    if not isinstance(error, dict):
        return "", ""
    return str(error.get("code") or ""), str(error.get("message") or "")
