"""Card data in text: numbers in every spelling that people and machines use, tracks, security codes.

A card number has 13 to 19 digits, single blanks or dashes may stand between them, no letter or digit touches
it, and its check digit is right (ISO/IEC 7812-1, annex B). Found besides: other alphabets' digits, invisible
characters between digits, wider or other separators, base64. Times, dates and UUIDs are no card numbers.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache

LENGTHS = range(13, 20)

Span = tuple[int, int]


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
    if not text.isascii() or _ESCAPED.search(text):
        return True
    if len(text) >= LENGTHS.start and (_DIGITS.search(text) or _BASE64_DIGITS.search(text)):
        return True
    lowered = text.lower()
    return any(word in lowered for word in _CODE_WORDS)


def is_card_number(digits: str) -> bool:
    """Length and check digit. Thirteen digits that begin with 1 are a time in milliseconds (2001 to 2033)."""
    if len(digits) not in LENGTHS or (len(digits) == LENGTHS.start and digits[0] == "1"):
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def ascii_digits(text: str) -> str:
    """The text, as long as before, with every digit, blank and dash of any alphabet as its ASCII one.

    Characters that JSON has escaped are read too.
    """
    text = _ESCAPED.sub(_read_escape, text)
    return text if text.isascii() else "".join(map(_ascii, text))


def digits_of_part(text: str) -> str:
    """The digits of a text that may be one part of a number: one to twelve, and nothing but separators."""
    plain = ascii_digits(text)
    digits = re.sub(_BETWEEN, "", plain)
    return digits if digits.isdecimal() and len(digits) < LENGTHS.start else ""


def names_part(name: str) -> bool:
    """Whether a field of this name may hold a part of a number; an empty name is an element of a list."""
    return not name or _PART_NAME.search(name) is not None


_NOTHING = "\x01"
"""Stands for what nobody sees: zero width, combining marks, controls."""


_ESCAPED = re.compile(r"\\+u(?:d[89ab][0-9a-f]{2}\\+ud[c-f][0-9a-f]{2}|[0-9a-f]{4})", re.IGNORECASE)


def _read_escape(found: re.Match[str]) -> str:
    units = "".join(chr(int(unit, 16)) for unit in re.findall("u([0-9A-Fa-f]{4})", found[0]))
    char = units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")[0]
    return _ascii(char) + _NOTHING * (len(found[0]) - 1)


@lru_cache(maxsize=4096)
def _ascii(char: str) -> str:
    if char.isascii():
        return char
    digit = unicodedata.digit(char, None)
    if digit is not None:
        return str(digit)
    category = unicodedata.category(char)
    if category in {"Cc", "Cf", "Cs", "Me", "Mn"}:
        return _NOTHING
    if category.startswith("Z"):
        return " "
    if category == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    if char in "\N{MIDDLE DOT}\N{BULLET}\N{ONE DOT LEADER}":
        return "."
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 and plain.isascii() else char


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


# Between two digits of a number: a few of these. Dashes and blanks may mix, others must all be alike.
_BETWEEN = r"[\s._/|*\x00-\x1f-]"
_DIGITS = re.compile(rf"[0-9](?:{_BETWEEN}{{0,16}}[0-9]){{12}}")
_RUN = re.compile(rf"(?<![A-Za-z0-9])[0-9](?:{_BETWEEN}{{0,16}}[0-9])*(?![A-Za-z0-9])")
_GROUP = re.compile("[0-9]+")
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1b]")

_PART_NAME = re.compile(
    r"(?:^|[^a-z])(?:pan|cc|ccn)(?![a-z])|card|credit|debit|digits|chunk|segment|half|quarter|piece"
    r"|(?:^|[^a-z])(?:part|block|group|num|number)[ _-]?[0-9]",
    re.IGNORECASE,
)

# UUID; date; date and time in 14 digits. Cards of 14 digits begin with 3.
_NO_CARD = re.compile(
    r"(?<![A-Za-z0-9])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9])(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])(?![0-9])"
    r"|(?<![A-Za-z0-9])(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[ _-]?"
    r"(?:[01][0-9]|2[0-3])[0-5][0-9][0-5][0-9](?![0-9])"
)


def _numbers(text: str) -> Iterator[Span]:
    if not _DIGITS.search(text):
        return
    text = _NO_CARD.sub(lambda found: "," * len(found[0]), text)
    for run in _RUN.finditer(text):
        if run.end() - run.start() < LENGTHS.start:
            continue
        groups, between = _groups(text, run)
        start = 0
        while start < len(groups):
            end = _card_end(text, groups, between, start)
            if end is None:
                start += 1
            else:
                yield groups[start][0], groups[end - 1][1]
                start = end


def _groups(text: str, run: re.Match[str]) -> tuple[list[Span], list[str]]:
    """Groups of digits, and what stands before each: invisible signs join, any blanks are one."""
    groups: list[Span] = []
    between: list[str] = []
    for found in _GROUP.finditer(text, run.start(), run.end()):
        seen = _UNSEEN.sub("", text[groups[-1][1] : found.start()]) if groups else ""
        if groups and not seen:
            groups[-1] = (groups[-1][0], found.end())
        else:
            groups.append(found.span())
            between.append(re.sub(r"\s+", " ", seen))
    return groups, between


def _card_end(text: str, groups: list[Span], between: list[str], start: int) -> int | None:
    """Index after the longest card number that begins with this group: dates and amounts may stand beside."""
    found, digits = None, ""
    sizes: list[int] = []
    for index in range(start, len(groups)):
        group = re.sub("[^0-9]", "", text[groups[index][0] : groups[index][1]])
        sizes.append(len(group))
        digits += group
        if len(digits) >= LENGTHS.stop:
            break
        if is_card_number(digits) and _is_spelling(between[start + 1 : index + 1], sizes):
            found = index + 1
    return found


_TWO_GROUPS = 2
_LEAST_GROUP = 3


def _is_spelling(between: list[str], sizes: list[int]) -> bool:
    """Whether groups stand together as those of one number do; decimals and addresses of hosts do not."""
    kinds = set(between)
    if kinds <= {" ", "-"}:
        return True
    if len(kinds) > 1 or (kinds == {"."} and len(sizes) == _TWO_GROUPS):
        return False
    alike = len(set(sizes[:-1])) == 1 and sizes[-1] <= sizes[0]
    return alike or all(size >= _LEAST_GROUP for size in sizes[:-1])


# ISO/IEC 7813, with or without sentinels, cut off or whole; D for = in the chip's copy of track 2.
_TRACK = re.compile(
    r"%?\s?[Bb][0-9](?:\s?[0-9]){11,18}\s?\^[^^\r\n]{0,40}\^[0-9]{0,4}[^\s?]{0,60}\??"
    r"|;?(?<![A-Za-z0-9])[0-9]{12,19}(?:=[0-9]{4}|D[0-9]{7})[0-9]{0,40}[Ff]?\??"
)


def _tracks(text: str) -> Iterator[Span]:
    return (found.span() for found in _TRACK.finditer(text))


_CODE_WORDS = ("cvv", "cvc", "cvn", "cvd", "cav2", "security", "verification")
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
    return next(_numbers(plain), None) is not None or next(_tracks(plain), None) is not None


def _decoded(piece: str) -> str:
    whole = piece[: len(piece) - 1] if len(piece) % 4 == 1 else piece
    try:
        read = base64.b64decode(whole.translate(_URL_SAFE) + "=" * (-len(whole) % 4))
    except (binascii.Error, ValueError):
        return ""
    return read.decode("utf-8", "replace")


_URL_SAFE = str.maketrans("-_", "+/")

_NUMBER_SPANS, _TRACK_SPANS = _Spans(_numbers), _Spans(_tracks)
_CODE_SPANS, _BASE64_SPANS = _Spans(_codes), _Spans(_encoded)
