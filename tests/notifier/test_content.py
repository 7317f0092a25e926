"""What a notice says: in both parts the same, in its order, and nothing that was not proved."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from refunds.domain.notice import NoticeKind
from refunds.domain.outcome import Finding
from refunds.domain.status import Kind
from refunds.notifier.sections import sections
from refunds.notifier.wording import WORDINGS
from tests.notifier.reading import built, read, read_back, visible, words_of
from tests.notifier.sample import FAILED, LOOKED_UP, SAMPLES

SNAPSHOTS = Path(__file__).parent / "snapshots"


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
        ("accepted", Finding.DECLINED, True),
    ],
)
def test_tries_are_called_proof_only_where_they_are(
    outcome: str, finding: Finding | None, proven: bool
) -> None:
    last = replace(FAILED.attempts[3], outcome=outcome, finding=finding)

    text = words_of(read(replace(FAILED, attempts=(*FAILED.attempts[:3], last))).text)

    assert ("The tries alone do not prove it" not in text) is proven


def test_a_try_that_was_never_sent_proves_itself_and_one_that_was_sent_does_not() -> None:
    unsent = replace(FAILED.attempts[0], counted=False, outcome="", code="", text="", sent=False)
    mails = {
        sent: words_of(
            read(replace(FAILED, attempts=(replace(unsent, sent=sent), *FAILED.attempts[1:]))).text
        )
        for sent in (False, True)
    }

    assert "not sent (not counted)" in mails[False]
    assert "The tries alone do not prove it" not in mails[False]
    assert "no answer (not counted)" in mails[True]
    assert "The tries alone do not prove it" in mails[True]


def test_a_contrary_find_takes_the_word_safe_back() -> None:
    text = words_of(read(replace(LOOKED_UP, evidence="try 1 refunded (sre_1)")).text)

    assert "Also observed: try 1 refunded (sre_1). Look at sandbox's own pages before anything else." in text
    assert "safe to pay" not in text


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
    assert set(commands) <= {"show", "retry", "cancel", "list", "resolve"}
    assert "show" in commands
    assert "mail could not be built" not in mail.text
    if kind is NoticeKind.FAILED:
        assert "cancel" not in commands, "a failed refund cannot be cancelled"
    if kind in {NoticeKind.OUTCOME_UNKNOWN, NoticeKind.NEEDS_REVIEW, NoticeKind.RESOLVED}:
        assert "retry" not in commands
        assert "cancel" not in commands, "what is under review or settled cannot be cancelled"
    if kind in {NoticeKind.FAILED, NoticeKind.REFUSED_EARLY, NoticeKind.STILL_UNPAID, NoticeKind.RESOLVED}:
        assert "resolve" not in commands, "only what is under review is resolved"


@pytest.mark.parametrize("kind", [NoticeKind.OUTCOME_UNKNOWN, NoticeKind.NEEDS_REVIEW])
@pytest.mark.parametrize("refund_kind", Kind)
def test_what_is_under_review_is_looked_at_and_then_resolved(kind: NoticeKind, refund_kind: Kind) -> None:
    text = words_of(read(replace(FAILED, kind=kind, refund_kind=refund_kind)).text)

    assert "On sandbox's own pages open payment ch_3PqR7sT1uV" in text
    assert "Do NOT pay" in text
    assert "moneyback refund resolve rf_01KA8Y1T5B6N0QZ4R7S2V9WXEH --as queued" in text
    assert "moneyback refund show rf_01KA8Y1T5B6N0QZ4R7S2V9WXEH" in text


def test_who_cancels_for_the_bank_is_told_that_the_amount_becomes_refundable_again() -> None:
    text = words_of(read(SAMPLES["refused_early"]).text)

    assert "cancel here, and refund it nowhere again (its amount becomes refundable here again)" in text


def test_an_unknown_code_is_shown_with_the_default_advice() -> None:
    text = words_of(read(replace(FAILED, failure_code="zz_77", failure_text="")).text)

    assert "sandbox: zz_77" in text
    assert "moneyback does not know this code" in text
