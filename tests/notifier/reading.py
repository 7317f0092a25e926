"""Reading a mail back, as a mail program would."""

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

from refunds.notifier.content import build
from refunds.notifier.facts import NoticeFacts
from refunds.ports import Mail


@dataclass(frozen=True, slots=True)
class Read:
    """One mail, taken apart by the standard parser."""

    headers: EmailMessage
    text: str
    html: str


def built(facts: NoticeFacts) -> Mail:
    return build(facts, sender="moneyback@shop.example", host="refunds.example")


def read(facts: NoticeFacts) -> Read:
    return read_back(built(facts))


def read_back(mail: Mail) -> Read:
    message = message_from_bytes(mail.content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return Read(
        headers=message,
        text=text.get_content().replace("\r\n", "\n") if text else "",
        html=html.get_content() if html else "",
    )


def words_of(text: str) -> str:
    """The text without its line breaks, and without the backslashes that continue a command."""
    return " ".join(text.replace("\\\n", " ").split())


def visible(html: str) -> str:
    """What a reader of the HTML part sees."""
    reader = _Visible()
    reader.feed(re.sub(r"<head>.*?</head>", "", html, flags=re.DOTALL))
    return words_of(" ".join(reader.pieces))


class _Visible(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)
