"""Card data in text: numbers however they are spelt, base64 too, magnetic tracks, security codes."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from refunds.domain.card import DIGITS, ESCAPED, LENGTHS, Span, ascii_digits, card_numbers


def without_card_data(text: str, *, last_four: bool = False) -> str:
    """The text with `[card]` for each number, `[track data]` for each track, `***` for each security code.

    `last_four` shows `[card …1111]` instead, which PCI DSS 3.4.1 allows and people recognise.
    """
    if not might_hold_card(text):
        return text
    text = _TRACK_SPANS.replaced(text, lambda _: "[track data]")
    text = _CODE_SPANS.replaced(text, lambda _: "***")
    text = _BASE64_SPANS.replaced(text, lambda _: "[card]")
    return _NUMBER_SPANS.replaced(text, lambda digits: f"[card …{digits[-4:]}]" if last_four else "[card]")


def card_data_in(text: str) -> str | None:
    """What a text holds of a card, in words; None if nothing."""
    if not might_hold_card(text):
        return None
    for spans, what in (
        (_TRACK_SPANS, "a card's track data"),
        (_NUMBER_SPANS, "a card number"),
        (_BASE64_SPANS, "a card number"),
        (_CODE_SPANS, "a card's security code"),
    ):
        if next(spans.find(ascii_digits(text)), None):
            return what
    return None


def might_hold_card(text: str) -> bool:
    """Cheap, and never wrong when it says no: most texts have nothing to look at."""
    if not text.isascii() or ("\\" in text and ESCAPED.search(text)):
        return True
    if len(text) >= LENGTHS.start and (DIGITS.search(text) or _BASE64_DIGITS.search(text)):
        return True
    return names_code(text)


def names_code(text: str) -> bool:
    """Whether it speaks of a security code."""
    return _CODE_WORDS.search(text.lower()) is not None


class _Spans:
    """Where something stands in a text, and the text with something else there."""

    def __init__(self, find: Callable[[str], Iterator[Span]]) -> None:
        self.find = find

    def replaced(self, text: str, shown: Callable[[str], str]) -> str:
        plain = ascii_digits(text)
        kept, end = [], 0
        for start, stop in self.find(plain):
            kept += [text[end:start], shown(re.sub("[^0-9]", "", plain[start:stop]))]
            end = stop
        return "".join([*kept, text[end:]]) if kept else text


# ISO/IEC 7813, with or without sentinels, cut off or whole; D for = in the chip's copy of track 2.
_TRACK = re.compile(
    r"(?:%\s?)?(?<![A-Za-z0-9])[Bb][0-9](?:\s?[0-9]){11,18}\s?\^[^^\r\n]{0,40}\^[0-9]{4,40}\??"
    r"|;?(?<![A-Za-z0-9])[0-9]{12,19}(?:=[0-9]{4}|D[0-9]{7})[0-9]{0,40}[Ff]?\??"
)


def _tracks(text: str) -> Iterator[Span]:
    return (found.span() for found in _TRACK.finditer(text))


_CODE_WORDS = re.compile("cv[vcnd]|cav2|security|verification")
_NAMED_CODE = re.compile(
    r"(?<![A-Za-z0-9])(?:card[\W_]{0,2})?"
    r"(?:cvv|cvc|cvn|cvd|cav2|security[\W_]{0,2}(?:code|number)|card[\W_]{0,2}verification)[0-9]?"
    r"(?:[\W_]{0,2}(?:code|number|value|no))?(?:[\W_]{0,3}(?:is|was))?[\W_]{0,4}(?P<code>[0-9]{3,4})(?![A-Za-z0-9])",
    re.IGNORECASE,
)


def _codes(text: str) -> Iterator[Span]:
    return (found.span("code") for found in _NAMED_CODE.finditer(text))


# Three digits in a row, at any place where base64 keeps bytes together.
_BASE64_DIGITS = re.compile("[M-O][DTjz][AEIMQUYcgk][w-z0-5]")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{18,}={0,2}")
_BASE64_PIECE = re.compile("[A-Za-z0-9]{18,}")


def _encoded(text: str) -> Iterator[Span]:
    if not _BASE64_DIGITS.search(text):
        return
    for found in _BASE64.finditer(text):
        pieces = {found[0].rstrip("="), *_BASE64_PIECE.findall(found[0])}
        if any(_holds_number(_decoded(piece)) for piece in pieces):
            yield found.span()


def _holds_number(text: str) -> bool:
    plain = ascii_digits(text)
    return next(card_numbers(plain), None) is not None or next(_tracks(plain), None) is not None


def _decoded(piece: str) -> str:
    whole = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
    try:
        read = base64.b64decode(whole.translate(_URL_SAFE) + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return ""
    return read.decode("utf-8", "replace")


_URL_SAFE = str.maketrans("-_", "+/")

_NUMBER_SPANS, _TRACK_SPANS = _Spans(card_numbers), _Spans(_tracks)
_CODE_SPANS, _BASE64_SPANS = _Spans(_codes), _Spans(_encoded)
