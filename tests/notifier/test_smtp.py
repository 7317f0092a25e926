import socket
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller

from refunds.notifier.smtp import SmtpChannel
from refunds.ports import Delivery, Mail
from tests.servers.mail_ledger import Fault
from tests.servers.program import free_port
from tests.servers.smtp import SmtpSink, smtp_sink

LOGIN = ("mailer", "p@ss/word")
OPS = "ops@shop.example"
CONTENT = b"Subject: one\r\nMessage-ID: <one@test>\r\n\r\nfirst\r\n.a line that begins with a dot\r\n"


def mail_to(recipient: str) -> Mail:
    return Mail(
        recipient=recipient, sender="moneyback@shop.example", message_id="<one@test>", content=CONTENT
    )


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SmtpSink]:
    with smtp_sink(folder=tmp_path) as running:
        yield running


def port_of(sink: SmtpSink) -> int:
    port = urlsplit(sink.url).port
    assert port is not None
    return port


def channel_to(sink: SmtpSink, *, timeout_seconds: float = 10) -> SmtpChannel:
    return SmtpChannel(sink.url, timeout_seconds=timeout_seconds, ca_file=sink.ca_file)


def test_a_mail_arrives_byte_for_byte_with_the_envelope_that_was_asked_for(sink: SmtpSink) -> None:
    delivery = channel_to(sink).deliver(mail_to(OPS))

    assert delivery == Delivery(delivered=True, final=True, response="250 2.0.0 message taken")
    (taken,) = sink.mails()
    assert taken.raw == CONTENT
    assert (taken.mail_from, taken.rcpt) == ("moneyback@shop.example", OPS)


@pytest.mark.parametrize(
    ("fault", "final", "response"),
    [
        (Fault.REFUSE_4XX, False, "451"),
        (Fault.REFUSE_5XX, True, "550"),
        (Fault.DROP_BEFORE_DATA, False, "SMTPServerDisconnected"),
        (Fault.DROP_AFTER_DATA, False, "SMTPServerDisconnected"),
    ],
)
def test_only_a_lasting_refusal_of_the_address_is_final(
    sink: SmtpSink, fault: Fault, final: bool, response: str
) -> None:
    sink.set_fault(OPS, fault)

    delivery = channel_to(sink).deliver(mail_to(OPS))

    assert not delivery.delivered
    assert delivery.final is final
    assert delivery.response.startswith(response)
    assert channel_to(sink).deliver(mail_to("other@shop.example")).delivered


@pytest.mark.parametrize(
    ("stage", "answer", "final"),
    [
        ("RCPT", "530 5.7.0 log in first", False),
        ("RCPT", "553 5.1.3 no such domain", True),
        ("DATA", "552 too much", True),
        ("DATA", "452 too much", False),
        ("DATA", "250 ok", True),
    ],
)
def test_a_lasting_refusal_is_final_at_any_stage_unless_it_is_about_us(
    stage: str, answer: str, final: bool
) -> None:
    class Handler:
        async def handle_RCPT(  # noqa: N802 the name aiosmtpd looks for
            self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
        ) -> str:
            envelope.rcpt_tos.append(address)
            return answer if stage == "RCPT" else "250 ok"

        async def handle_DATA(self, *_: Any) -> str:  # noqa: N802 as above
            return answer

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        delivery = SmtpChannel(f"smtp://127.0.0.1:{controller.port}").deliver(mail_to(OPS))
    finally:
        controller.stop()

    assert delivery == Delivery(delivered=answer.startswith("250"), final=final, response=answer)


def test_a_connection_cut_after_data_counts_as_not_delivered_and_the_repeat_is_the_same_mail(
    sink: SmtpSink,
) -> None:
    sink.set_fault(OPS, Fault.DROP_AFTER_DATA, times=1)

    assert not channel_to(sink).deliver(mail_to(OPS)).delivered
    assert channel_to(sink).deliver(mail_to(OPS)).delivered
    assert [(mail.raw, mail.message_id) for mail in sink.mails()] == [(CONTENT, "<one@test>")] * 2


def test_a_silent_server_is_left_within_the_time_limit(sink: SmtpSink) -> None:
    sink.set_fault(OPS, Fault.HANG)
    started = monotonic()

    delivery = channel_to(sink, timeout_seconds=0.5).deliver(mail_to(OPS))

    assert not delivery.delivered
    assert not delivery.final
    assert "timed out" in delivery.response
    assert monotonic() - started < 4


def test_a_server_that_does_not_greet_is_left_within_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        channel = SmtpChannel(f"smtp://127.0.0.1:{mute.getsockname()[1]}", timeout_seconds=0.2)
        delivery = channel.deliver(mail_to(OPS))

    assert not delivery.delivered
    assert not delivery.final


def test_a_server_that_is_not_there_is_no_lasting_refusal() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        channel = SmtpChannel(f"smtp://127.0.0.1:{deaf.getsockname()[1]}", timeout_seconds=2)

        delivery = channel.deliver(mail_to(OPS))
        problem = channel.check()

    assert not delivery.delivered
    assert not delivery.final
    assert "refused" in delivery.response
    assert problem is not None
    assert problem.startswith("mail server 127.0.0.1:")


def test_what_is_no_address_never_reaches_the_server(sink: SmtpSink) -> None:
    for recipient in ("", "ops", "a@b\r\nRCPT TO:<x@y>", "a@b> SIZE=1", "a@b, c@d", "\udc80@x"):
        assert not channel_to(sink).deliver(mail_to(recipient)).delivered

    assert sink.mails() == sink.turned_away() == []


def test_an_address_beyond_ascii_travels_where_the_server_takes_it(sink: SmtpSink) -> None:
    assert channel_to(sink).deliver(mail_to("jörg@shop.example")).delivered
    assert sink.mails()[0].rcpt == "jörg@shop.example"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_encrypted_login_and_delivery(tmp_path: Path, tls: Literal["starttls", "tls"]) -> None:
    with smtp_sink(folder=tmp_path, tls=tls, login=LOGIN) as sink:
        assert channel_to(sink).check() is None
        assert channel_to(sink).deliver(mail_to(OPS)).delivered

        stranger = SmtpChannel(sink.url, timeout_seconds=10)
        delivery = stranger.deliver(mail_to(OPS))

        assert not delivery.delivered, "nobody vouches for its certificate"
        assert not delivery.final
        assert delivery.response.startswith("TLS: ")
        assert len(sink.mails()) == 1


def test_a_wrong_password_is_told_without_repeating_it_and_is_not_final(tmp_path: Path) -> None:
    with smtp_sink(folder=tmp_path, tls="starttls", login=LOGIN) as sink:
        url = f"smtp://mailer:mistyped@127.0.0.1:{port_of(sink)}"
        channel = SmtpChannel(url, timeout_seconds=10, ca_file=sink.ca_file)

        delivery = channel.deliver(mail_to(OPS))
        problem = channel.check()

    assert not delivery.delivered
    assert not delivery.final
    assert problem is not None
    assert "535" in problem
    assert "mistyped" not in problem + delivery.response


def test_a_password_leaves_unencrypted_only_when_asked_and_a_missing_login_is_not_final(
    tmp_path: Path,
) -> None:
    with smtp_sink(folder=tmp_path, login=LOGIN) as sink:
        place = f"127.0.0.1:{port_of(sink)}"
        careful = SmtpChannel(f"smtp://mailer:p%40ss%2Fword@{place}", timeout_seconds=10)
        asked = SmtpChannel(f"smtp://mailer:p%40ss%2Fword@{place}?starttls=false", timeout_seconds=10)
        nobody = SmtpChannel(f"smtp://{place}", timeout_seconds=10)

        assert "STARTTLS" in (careful.check() or "")
        assert sink.mails() == []
        refusal = nobody.deliver(mail_to(OPS))
        assert asked.deliver(mail_to(OPS)).delivered

    assert refusal.response.startswith("530")
    assert not refusal.final


def test_a_ca_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ca\.pem"):
        SmtpChannel("smtp://localhost", ca_file=tmp_path / "ca.pem")
