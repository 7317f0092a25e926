import pytest

from refunds.notifier.server_url import Encryption, parse_server_url


@pytest.mark.parametrize(
    ("url", "port", "encryption"),
    [
        ("smtp://localhost", 25, Encryption.NONE),
        ("smtp://[::1]:2525", 2525, Encryption.NONE),
        ("smtp://127.0.0.1?starttls=true", 25, Encryption.STARTTLS),
        ("smtp://mailer:secret@localhost", 587, Encryption.STARTTLS),
        ("smtp://mailer:secret@localhost?starttls=false", 587, Encryption.NONE),
        ("smtp://mail.shop.example", 25, Encryption.STARTTLS),
        ("smtp://mail.shop.example?starttls=false", 25, Encryption.NONE),
        ("smtp://mailer:secret@mail.shop.example", 587, Encryption.STARTTLS),
        ("smtps://mailer:secret@mail.shop.example/", 465, Encryption.TLS),
        ("smtp://mail_relay:1025?starttls=false", 1025, Encryption.NONE),
    ],
)
def test_port_and_encryption_follow_from_host_and_credentials(
    url: str, port: int, encryption: Encryption
) -> None:
    server = parse_server_url(url)

    assert (server.port, server.encryption) == (port, encryption)


def test_credentials_are_percent_decoded_and_never_shown() -> None:
    server = parse_server_url("smtp://us%40er:p%3Aa%2Fss@mail.shop.example")

    assert server.login == ("us@er", "p:a/ss")
    assert "p:a/ss" not in f"{server} {server!r}"


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("http://mailer:s3cret@mail.shop.example", "scheme"),
        ("mail.shop.example:25", "scheme"),
        ("smtp://", "host"),
        ("smtp://mailer:s3cret@", "host"),
        ("smtp://[::1", "host"),
        (f"smtp://mailer:s3cret@{'x' * 64}.example", "host"),
        ("smtp://mailer:s3cret@mail shop.example", "host"),
        ("smtp://mailer:s3cret@mail.shop.example:99999", "port"),
        ("smtp://mail.shop.example:0", "port"),
        ("smtp://mailer:s3cret/x@mail.shop.example", "path"),
        ("smtp://mailer:s3cret@mail.shop.example/inbox", "path"),
        ("smtp://mailer:s3cret@mail.shop.example#x", "path"),
        ("smtp://mailer@mail.shop.example", "user"),
        ("smtp://mailer:s3cr%C3%A9t@mail.shop.example", "user"),
        ("smtp://mailer:s3cret%0d%0a@mail.shop.example", "user"),
        ("smtp://mailer:s3cret@mail.shop.example?starttls=false", "starttls"),
        ("smtp://mail.shop.example?starttls=maybe", "starttls"),
        ("smtps://mail.shop.example?starttls=true", "starttls"),
        ("smtp://mail.shop.example?timeout=3", "query"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_by_its_wrong_part_without_its_secret(
    url: str, part: str
) -> None:
    with pytest.raises(ValueError, match=f"the {part} ") as refusal:
        parse_server_url(url)

    assert "s3cr" not in str(refusal.value)
    assert refusal.value.__cause__ is None
