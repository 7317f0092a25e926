import os
import re
from dataclasses import fields, replace
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Finding
from refunds.domain.status import Kind
from refunds.notifier.content import build
from refunds.notifier.facts import AttemptFact, NoticeFacts
from refunds.notifier.sections import sections
from refunds.notifier.wording import WORDINGS
from tests.notifier.reading import built, read, read_back, visible, words_of
from tests.notifier.sample import FAILED, LOOKED_UP, SAMPLES

SNAPSHOTS = Path(__file__).parent / "snapshots"
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


@pytest.mark.parametrize("name", SAMPLES)
def test_the_text_part_reads_as_it_was_agreed(name: str) -> None:
    mail = read(SAMPLES[name])
    shown = f"Subject: {mail.headers['Subject']}\n\n{mail.text}"
    snapshot = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("MONEYBACK_UPDATE_SNAPSHOTS") == "1":
        snapshot.write_text(shown, encoding="utf-8")

    assert shown == snapshot.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SAMPLES)
def test_text_and_html_say_the_same(name: str) -> None:
    facts = SAMPLES[name]
    mail = read(facts)
    text, html = words_of(mail.text), visible(mail.html)

    position = 0
    for section in sections(facts):
        for line in section.lines:
            assert words_of(line.lead + line.text) in text
            position = html.index(words_of(line.text), position)


@pytest.mark.parametrize("name", SAMPLES)
def test_no_line_of_the_text_is_wider_than_78_but_a_link(name: str) -> None:
    lines = read(SAMPLES[name]).text.splitlines()

    assert [line for line in lines if len(line) > 78 and "https://" not in line] == []


@pytest.mark.parametrize("name", SAMPLES)
def test_the_sections_come_in_the_order_in_which_they_are_needed(name: str) -> None:
    labels = [section.label for section in sections(SAMPLES[name])]

    assert labels == ["WHAT", "MONEY", "WHY", "TRIED", "SURE?", "DO NEXT", "OPEN", "WHO"]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_html_loads_nothing_and_runs_nothing(name: str) -> None:
    html = read(SAMPLES[name]).html

    assert not re.search(r"<(img|script|link|iframe|style)|url\(|src=|@import", html, re.IGNORECASE)


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


def test_failed_and_unknown_share_neither_word_nor_colour_nor_first_line() -> None:
    failed, unknown = read(FAILED), read(SAMPLES["outcome_unknown"])

    assert WORDINGS[NoticeKind.FAILED].ground not in unknown.html
    assert WORDINGS[NoticeKind.OUTCOME_UNKNOWN].ground not in failed.html
    assert "failed" not in (unknown.headers["Subject"] + unknown.text).lower()
    assert "unknown" not in (failed.headers["Subject"] + failed.text).lower()
    assert "NOT paid" in failed.text.splitlines()[0] + failed.text.splitlines()[1]
    warning = "The money may have been paid: do NOT pay another way before checking."
    assert warning in words_of(unknown.text)
    assert warning not in words_of(failed.text)


def test_it_is_called_safe_to_pay_only_after_the_gateway_was_asked() -> None:
    assert "It is safe to pay another way." in words_of(read(LOOKED_UP).text)
    assert "no refund of ours exists" in words_of(read(LOOKED_UP).text)
    refused = words_of(read(FAILED).text)
    assert "sandbox answered each of the 4 counted tries with a refusal, and was not asked again." in refused
    assert "safe to pay" not in refused


@pytest.mark.parametrize(
    ("outcome", "finding", "proven"),
    [
        ("declined", None, True),
        ("unavailable", None, True),
        ("unknown", Finding.ABSENT, True),
        ("unknown", Finding.DECLINED, True),
        ("unknown", None, False),
        ("unknown", Finding.UNCLEAR, False),
        ("", None, False),
        ("accepted", None, False),
    ],
)
def test_tries_are_called_proof_only_where_they_are(
    outcome: str, finding: Finding | None, proven: bool
) -> None:
    last = replace(FAILED.attempts[3], outcome=outcome, finding=finding)

    text = words_of(read(replace(FAILED, attempts=(*FAILED.attempts[:3], last))).text)

    assert ("The tries alone do not prove it" not in text) is proven


def test_the_link_is_there_only_if_pages_are() -> None:
    assert "https://refunds.example/refunds/rf_01KA8Y1T5B6N0QZ4R7S2V9WXEH" in read(FAILED).text
    for address in (None, "", "javascript:alert(1)"):
        mail = read(replace(FAILED, public_url=address))
        assert "href" not in mail.html
        assert "/refunds/" not in mail.text


@pytest.mark.parametrize(("currency", "shown"), [("JPY", "JPY 1275"), ("KWD", "KWD 1.275")])
def test_amounts_have_the_decimals_of_their_currency(currency: str, shown: str) -> None:
    mail = read(replace(FAILED, currency=currency))

    assert f"{shown} still owed" in mail.text
    assert shown in mail.headers["Subject"]


def test_long_histories_keep_their_beginning_and_their_end() -> None:
    text = read(SAMPLES["still_unpaid"]).text

    assert "(28 tries left out here)" in text
    numbers = [int(number) for number in re.findall(r"^.{10}(\d+)  Mon", text, re.MULTILINE)]
    assert numbers == [1, 2, *range(31, 41)]


def test_long_subjects_keep_state_amount_and_order_within_120() -> None:
    facts = replace(
        FAILED, order_id="o" * 200, gateway="g" * 200, failure_code="c" * 200, amount_minor=10**15
    )

    subject = read(facts).headers["Subject"]

    assert len(subject) <= 120
    assert subject.startswith("[moneyback] Refund failed for good: GBP 10000000000000.00, order ooo")


def test_a_card_number_in_a_gateways_text_keeps_its_last_four_digits_only() -> None:
    for spelt in ("4242424242424242", "4242 4242 4242 4242", "4242-4242-4242-4242"):
        mail = built(replace(FAILED, failure_text=f"card {spelt} is closed", failure_code=""))

        assert b"4242 4242" not in mail.content
        assert b"42424242" not in mail.content
        assert "[card …4242]" in read_back(mail).text
    assert "4111111111111112" in read(replace(FAILED, failure_text="trace 4111111111111112")).text


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("refund_kind", Kind)
def test_every_kind_has_its_mail_and_names_only_commands_that_exist(
    kind: NoticeKind, refund_kind: Kind
) -> None:
    mail = read(replace(FAILED, kind=kind, refund_kind=refund_kind))

    commands = re.findall(r"moneyback refund (\S+)", mail.text)
    assert set(commands) <= {"show", "retry", "cancel", "list"}
    assert "show" in commands
    assert "mail could not be built" not in mail.text
    if kind is NoticeKind.FAILED:
        assert "cancel" not in commands, "a failed refund cannot be cancelled"
    if kind in {NoticeKind.OUTCOME_UNKNOWN, NoticeKind.NEEDS_REVIEW, NoticeKind.RESOLVED}:
        assert "retry" not in commands


def test_an_unknown_code_is_shown_with_the_default_advice() -> None:
    text = words_of(read(replace(FAILED, failure_code="zz_77", failure_text="")).text)

    assert "sandbox: zz_77" in text
    assert "moneyback does not know this code" in text


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
