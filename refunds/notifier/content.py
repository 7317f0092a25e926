"""Content: from the facts of a notice to the one mail that tells them."""

import hashlib
import re
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.nonmultipart import MIMENonMultipart
from email.policy import compat32
from email.utils import format_datetime
from typing import Final

from refunds.domain.money import Money, decimal_text
from refunds.domain.notice import NoticeKind
from refunds.domain.status import Kind
from refunds.notifier.addresses import header_safe, host_name
from refunds.notifier.clean import clean_facts, clipped
from refunds.notifier.facts import NoticeFacts
from refunds.notifier.fallback import plain_fallback
from refunds.notifier.next_steps import cause_of
from refunds.notifier.parts import Page, html_part, text_part
from refunds.notifier.sections import sections
from refunds.notifier.wording import WORDINGS
from refunds.ports import Mail

SUBJECT_LIMIT: Final = 120

_UTF_8: Final = Charset("utf-8")
_UTF_8.body_encoding = QP
# Nothing is folded there: ids must stay on the line of their header, and outside text comes folded already.
_ON_THE_WIRE: Final = compat32.clone(linesep="\r\n", max_line_length=None)
_MESSAGE_ID = re.compile(r"<[\w.+-]{1,100}@[\w.-]{1,100}>", re.ASCII)


def build(facts: NoticeFacts, *, sender: str, host: str) -> Mail:
    """The mail for one notice: text and HTML with one content, from `sender`, its ids under the name `host`.

    Never raises and never keeps silent: whatever text the facts hold, and if building fails all the same,
    a plain mail with kind, ids and amount comes back. The same facts give the same mail, to the byte.
    """
    message_id = _message_id(str(facts.notice_id), host)
    try:
        return _full(clean_facts(facts), message_id=message_id, sender=sender, host=host)
    except Exception as error:  # noqa: BLE001 the alarm must leave, whatever is wrong with its decoration
        return plain_fallback(facts, message_id=message_id, sender=sender, host=host, error=error)


def _full(facts: NoticeFacts, *, message_id: str, sender: str, host: str) -> Mail:
    page = Page(
        subject=_subject(facts),
        wording=WORDINGS[facts.kind],
        money=str(Money(facts.amount_minor, facts.currency)),
        sections=sections(facts),
        footer=_footer(facts),
    )
    recipient = header_safe(facts.recipient)
    from_address = header_safe(sender) or f"moneyback@{host_name(host)}"
    # No text can hold the boundary: where outside text may begin a line, `=` is encoded.
    message = MIMEMultipart(
        "alternative", boundary="=_" + hashlib.sha256(message_id.encode()).hexdigest()[:24]
    )
    message["From"] = f"moneyback <{from_address}>"
    message["To"] = recipient or "undisclosed-recipients:;"
    message["Date"] = format_datetime(facts.decided_at)
    message["Message-ID"] = message_id
    if facts.thread_message_id and _MESSAGE_ID.fullmatch(facts.thread_message_id):
        message["In-Reply-To"] = facts.thread_message_id
        message["References"] = facts.thread_message_id
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Id"] = f"<notices.{host_name(host)}>"
    for name, value in (
        ("Subject", page.subject),
        ("X-Moneyback-Refund", facts.refund_id),
        ("X-Moneyback-Event", facts.kind.value),
        ("X-Moneyback-Amount", decimal_text(facts.amount_minor, facts.currency)),
        ("X-Moneyback-Currency", facts.currency),
        ("X-Moneyback-Env", facts.environment),
    ):
        message[name] = _header(name, value)
    message.attach(_body(text_part(page), "plain"))
    message.attach(_body(html_part(page), "html"))
    return Mail(
        recipient=recipient or facts.recipient,
        sender=from_address,
        message_id=message_id,
        content=message.as_bytes(policy=_ON_THE_WIRE),
    )


def _body(text: str, subtype: str) -> MIMENonMultipart:
    """Plain ASCII stays readable as it is; all else, and HTML for its long lines, is quoted-printable."""
    part = MIMENonMultipart("text", subtype)
    part.set_payload(text, "us-ascii" if text.isascii() and subtype == "plain" else _UTF_8)
    return part


def _subject(facts: NoticeFacts) -> str:
    """State, amount, order, reason, in the order in which a locked telephone cuts them off."""
    noun = "Void" if facts.refund_kind is Kind.VOID else "Refund"
    money = Money(facts.amount_minor, facts.currency)
    head = f"[moneyback] {noun} {WORDINGS[facts.kind].state}: {money}, order {clipped(facts.order_id, 32)}"
    tail = f" ({clipped(facts.gateway, 16)})"
    reason = "" if facts.kind is NoticeKind.RESOLVED else _reason(facts)
    room = SUBJECT_LIMIT - len(head) - len(tail) - len(": ")
    middle = f": {clipped(reason, room)}" if reason and room >= len("declined") else ""
    return clipped(head + middle + tail, SUBJECT_LIMIT)


def _reason(facts: NoticeFacts) -> str:
    cause = cause_of(facts.failure_code)
    return cause.short if cause else facts.failure_code or facts.failure_text


def _header(name: str, text: str) -> str:
    """Encoded words are made here, where needed, and nobody else's are let through.

    The newer `EmailMessage` is left alone for this: up to Python 3.11 at least it garbles long subjects that
    are not ASCII, folds long ids into encoded words, and decodes encoded words in what it is given.
    """
    inert = clipped(text.replace("=?", "= ?"), SUBJECT_LIMIT)
    charset = "us-ascii" if inert.isascii() else "utf-8"
    return Header(inert, charset, header_name=name).encode()


def _footer(facts: NoticeFacts) -> str:
    return (
        f"You get this because {facts.recipient} {facts.why_recipient}."
        f" moneyback {facts.version}, {facts.environment},"
        f" message {facts.message_number} of {facts.message_total} for this refund."
    )


def _message_id(notice_id: str, host: str) -> str:
    """Derived from the notice's row alone, so that a repeat can be told from a second notice."""
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,40}", notice_id)
    local = notice_id if plain else hashlib.sha256(notice_id.encode("utf-8", "replace")).hexdigest()[:40]
    return f"<{local}@{host_name(host)}>"
