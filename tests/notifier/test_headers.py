"""A notice as the post sees it: its headers, and that no text from outside can break or stop it."""

import re
from dataclasses import fields, replace
from datetime import datetime
from enum import Enum
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from refunds.notifier.content import build
from refunds.notifier.facts import AttemptFact, NoticeFacts
from tests.notifier.reading import built, read, read_back
from tests.notifier.sample import FAILED, SAMPLES

HEADERS = {
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "List-Id",
    "X-Moneyback-Refund",
    "X-Moneyback-Event",
    "X-Moneyback-Amount",
    "X-Moneyback-Currency",
    "X-Moneyback-Env",
    "MIME-Version",
    "Content-Type",
}
HOSTILE = [
    "x\r\nBcc: thief@evil.example",
    "x\nBcc: a\rb\vc\fd\x1ce\x85f\u2028g\u2029h",
    "\0\x1b[31mred\x07",
    "\u202egnp.exe\u202c\u2066\u2069",
    "\udc80\ud800",
    "=?utf-8?q?x=0D=0ABcc:_thief=40evil.example?=",
    "<script>alert(1)</script>\"'><img src=//evil.example>",
    "{{ 7 * 7 }}{% include 'mail.txt.j2' %}{refund_id}",
    "=cmd|' /C calc'!A0",
    "\r\n.\r\n\r\nQUIT",
    "a" * 1_000_000,
    " ",
    "",
    "٣" * 50,
]
texts = st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(st.characters(codec=None), max_size=300))


def test_the_headers_are_those_of_an_automatic_message() -> None:
    headers = read(FAILED).headers

    assert set(headers.keys()) == HEADERS
    assert headers["Subject"] == (
        "[moneyback] Refund failed for good: GBP 12.75, order 536379: card closed (sandbox)"
    )
    assert headers["Auto-Submitted"] == "auto-generated"
    assert headers["X-Auto-Response-Suppress"] == "All"
    assert headers["Date"].datetime == FAILED.decided_at
    assert headers["List-Id"] == "<notices.refunds.example>"
    assert headers["X-Moneyback-Refund"] == FAILED.refund_id
    assert headers["X-Moneyback-Event"] == "failed"
    assert headers["X-Moneyback-Amount"] == "12.75"
    assert headers["X-Moneyback-Currency"] == "GBP"
    assert headers["X-Moneyback-Env"] == "production"
    assert headers.get_content_type() == "multipart/alternative"


def test_the_same_facts_give_the_same_bytes_and_another_notice_another_id() -> None:
    assert built(FAILED) == built(FAILED)
    assert built(FAILED).message_id == "<nt_01KAE6Q8M0V5WZ3Y7C2D9F4GHJ@refunds.example>"
    ids = {built(replace(FAILED, notice_id=one)).message_id for one in ("a", "b", "a b", "a/b", "é" * 99, "")}
    assert len(ids) == 6


def test_a_later_mail_joins_the_thread_of_the_first_even_under_a_long_host_name() -> None:
    first = build(FAILED, sender="moneyback@shop.example", host=f"{'refunds.' * 6}example")
    facts = replace(SAMPLES["resolved"], thread_message_id=first.message_id)

    content = built(facts).content.decode()

    assert f"In-Reply-To: {first.message_id}\r\n" in content
    assert f"References: {first.message_id}\r\n" in content


def test_long_subjects_keep_state_amount_and_order_within_120() -> None:
    facts = replace(
        FAILED, order_id="o" * 200, gateway="g" * 200, failure_code="c" * 200, amount_minor=10**15
    )

    subject = read(facts).headers["Subject"]

    assert len(subject) <= 120
    assert subject.startswith("[moneyback] Refund failed for good: GBP 10000000000000.00, order ooo")


def test_encoded_words_of_somebody_else_are_shown_and_not_decoded() -> None:
    subject = read(replace(FAILED, order_id="=?utf-8?q?1=2C_paid?=")).headers["Subject"]

    assert "=2C_paid" in subject


@given(data=st.data())
def test_no_text_stops_the_mail_or_adds_to_its_headers(data: st.DataObject) -> None:
    facts = _with_hostile_texts(FAILED, data, but={"refund_id"})

    mail = build(facts, sender=data.draw(texts), host=data.draw(texts))
    message = read_back(mail)

    assert set(message.headers.keys()) - {"Content-Transfer-Encoding"} <= HEADERS
    assert len(message.headers.keys()) == len(set(message.headers.keys())) == len(HEADERS)
    assert not message.headers.defects
    assert len(message.headers["Subject"]) <= 120
    assert "could not be built" not in message.text
    assert FAILED.refund_id in message.text
    assert "12.75" in message.text
    assert "<script" not in message.html.lower()
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", message.text)
    assert all(len(line) <= 998 for line in mail.content.split(b"\r\n"))
    assert mail.content.isascii()
    assert b"\n" not in mail.content.replace(b"\r\n", b"")


@given(data=st.data())
def test_when_building_fails_a_plain_mail_with_ids_and_amount_leaves(data: st.DataObject) -> None:
    broken = data.draw(st.sampled_from(["created_at", "captured_minor", "attempts", "kind", "failure_code"]))
    facts = _with_hostile_texts(FAILED, data, but={"refund_id", "currency"})
    facts = replace(facts, **cast("dict[str, Any]", {broken: None}))

    message = read_back(build(facts, sender=data.draw(texts), host=data.draw(texts)))

    assert len(message.headers.keys()) == len(set(message.headers.keys())) == len(HEADERS)
    assert set(message.headers.keys()) == HEADERS
    assert "could not be built" in message.text
    assert FAILED.refund_id in message.text
    assert "GBP 12.75" in message.text
    assert not message.headers.defects


def test_even_without_an_amount_or_a_time_the_plain_mail_leaves() -> None:
    facts = replace(FAILED, amount_minor=cast("int", "?"), decided_at=cast("datetime", None))

    mail = read(facts)

    assert FAILED.refund_id in mail.text
    assert mail.headers["Date"].datetime.tzinfo is not None


def test_a_recipient_that_is_no_address_is_kept_out_of_the_header() -> None:
    mail = read(replace(FAILED, recipient="not an address"))

    assert mail.headers["To"] == "undisclosed-recipients:;"
    assert "You get this because not an address" in mail.text


def test_an_international_domain_travels_in_ascii() -> None:
    mail = built(replace(FAILED, recipient="ops@bücher.example"))

    assert mail.recipient == "ops@xn--bcher-kva.example"
    assert b"To: ops@xn--bcher-kva.example\r\n" in mail.content


def _with_hostile_texts(facts: NoticeFacts, data: st.DataObject, *, but: set[str]) -> NoticeFacts:
    attempts = tuple(replace(attempt, **_hostile(attempt, data, but=set())) for attempt in facts.attempts[:2])
    return replace(facts, **_hostile(facts, data, but=but | {"thread_message_id"}), attempts=attempts)


def _hostile(owner: NoticeFacts | AttemptFact, data: st.DataObject, *, but: set[str]) -> dict[str, Any]:
    values = ((field.name, getattr(owner, field.name)) for field in fields(owner))
    return {
        name: data.draw(texts, label=name)
        for name, value in values
        if name not in but and not isinstance(value, Enum) and isinstance(value, str)
    } | ({"certainty": data.draw(texts), "evidence": data.draw(texts)} if owner is FAILED else {})
