"""The mail that leaves when the real one cannot be built: plain, ASCII, put together from almost nothing."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from refunds.domain.money import decimal_text
from refunds.domain.notice import NoticeKind
from refunds.domain.redaction import redacted_text
from refunds.notifier.addresses import header_safe, host_name
from refunds.notifier.facts import NoticeFacts
from refunds.ports import Mail

_UNLIKE: Final = re.compile(r"[^A-Za-z0-9 ._:+@/-]")


def plain_fallback(facts: NoticeFacts, *, message_id: str, sender: str, host: str, error: Exception) -> Mail:
    """Kind, ids and amount. Relies on no field having the type it should have."""
    recipient = header_safe(_plain(facts.recipient, 320))
    from_address = header_safe(_plain(sender, 320)) or f"moneyback@{host_name(host)}"
    refund, order, kind = _plain(facts.refund_id), _plain(facts.order_id), _plain(facts.kind)
    amount, currency = _amount(facts), _plain(facts.currency, 8)
    money = f"{currency} {amount}"
    maybe_paid = facts.kind not in {NoticeKind.FAILED, NoticeKind.RESOLVED}
    lines = [
        f"From: moneyback <{from_address}>",
        f"To: {recipient or 'undisclosed-recipients:;'}",
        f"Subject: [moneyback] {kind}: {money[:48]}, order {order[:32]}",
        f"Date: {format_datetime(_instant(facts.decided_at))}",
        f"Message-ID: {message_id}",
        "Auto-Submitted: auto-generated",
        "X-Auto-Response-Suppress: All",
        f"List-Id: <notices.{host_name(host)}>",
        f"X-Moneyback-Refund: {refund}",
        f"X-Moneyback-Event: {kind}",
        f"X-Moneyback-Amount: {amount}",
        f"X-Moneyback-Currency: {currency}",
        f"X-Moneyback-Env: {_plain(facts.environment, 30)}",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"WHAT      {kind}: refund {refund}, order {order}",
        f"MONEY     {money}",
        f"WHY       {_plain(facts.gateway)}: {_plain(facts.failure_code)}",
        *(["SURE?     Do NOT pay another way before checking."] if maybe_paid else []),
        f"DO NEXT   moneyback refund show {refund}",
        "",
        f"The full mail could not be built ({type(error).__name__}): please tell the developers.",
        "",
    ]
    return Mail(
        recipient=recipient or _plain(facts.recipient, 320),
        sender=from_address,
        message_id=message_id,
        content="\r\n".join(lines).encode("ascii", "replace"),
    )


def _plain(value: object, limit: int = 60) -> str:
    return _UNLIKE.sub("?", redacted_text(str(value)))[:limit]


def _amount(facts: NoticeFacts) -> str:
    try:
        return _plain(decimal_text(facts.amount_minor, facts.currency))
    except (TypeError, ValueError, ArithmeticError):
        return f"{_plain(facts.amount_minor)} minor units"


def _instant(value: object) -> datetime:
    return value if isinstance(value, datetime) else datetime.now(UTC)
