"""Card numbers in text, in every spelling that people and machines use.

A card number has 13 to 19 digits, single blanks or dashes may stand between them, no letter or digit touches
it, and its check digit is right (ISO/IEC 7812-1, annex B). Found besides: other alphabets' digits, invisible
characters between digits, wider or other separators. Times, dates and UUIDs are no card numbers.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

LENGTHS = range(13, 20)

Span = tuple[int, int]


def card_numbers(text: str) -> Iterator[Span]:
    """Where card numbers stand in a text that `ascii_digits` has read."""
    if not DIGITS.search(text):
        return
    text = _NO_CARD.sub(lambda found: "," * len(found[0]), text)
    for run in _RUN.finditer(text):
        if run.end() - run.start() >= LENGTHS.start:
            yield from _in_groups(_groups(text, run))


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
    text = ESCAPED.sub(_read_escape, text)
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


ESCAPED = re.compile(r"\\+u(?:d[89ab][0-9a-f]{2}\\+ud[c-f][0-9a-f]{2}|[0-9a-f]{4})", re.IGNORECASE)


def _read_escape(found: re.Match[str]) -> str:
    units = "".join(chr(int(unit, 16)) for unit in re.findall("[uU]([0-9A-Fa-f]{4})", found[0]))
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


# Between two digits of a number: a few of these. Dashes and blanks may mix, others must all be alike.
_BETWEEN = r"[\s._/|*\x00-\x1f-]"
DIGITS = re.compile(rf"[0-9](?:{_BETWEEN}{{0,16}}[0-9]){{12}}")
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


@dataclass(frozen=True, slots=True)
class _Group:
    """Digits that stand together, and what stands before them: any blanks are one."""

    start: int
    end: int
    digits: str
    before: str


def _in_groups(groups: list[_Group]) -> Iterator[Span]:
    """First what is printed as cards are; then, of what is left, all that may be a part of one."""
    left = start = 0
    while start < len(groups):
        end = _card_end(groups[start : start + LENGTHS.stop], as_printed=True)
        if end is None:
            start += 1
            continue
        yield from _united(groups[left:start])
        yield groups[start].start, groups[start + end - 1].end
        left = start = start + end
    yield from _united(groups[left:])


def _united(groups: list[_Group]) -> Iterator[Span]:
    """Numbers that overlap as one: which of them is a card, none can say."""
    pending: Span | None = None
    for index, group in enumerate(groups):
        if pending is not None and group.start > pending[1]:
            yield pending
            pending = None
        end = _card_end(groups[index : index + LENGTHS.stop], as_printed=False)
        if end is not None:
            stop = groups[index + end - 1].end
            pending = (group.start, stop) if pending is None else (pending[0], max(pending[1], stop))
    if pending is not None:
        yield pending


def _groups(text: str, run: re.Match[str]) -> list[_Group]:
    """The groups of a run; invisible signs join what is beside them."""
    groups: list[_Group] = []
    for found in _GROUP.finditer(text, run.start(), run.end()):
        before = _UNSEEN.sub("", text[groups[-1].end : found.start()]) if groups else ""
        if groups and not before:
            last = groups.pop()
            groups.append(_Group(last.start, found.end(), last.digits + found[0], last.before))
        else:
            groups.append(_Group(*found.span(), found[0], re.sub(r"\s+", " ", before)))
    return groups


def _card_end(groups: list[_Group], *, as_printed: bool) -> int | None:
    """Index after the longest card number that begins with the first group."""
    found, digits = None, ""
    sizes: list[int] = []
    for index, group in enumerate(groups):
        sizes.append(len(group.digits))
        digits += group.digits
        if len(digits) >= LENGTHS.stop:
            break
        spelt = _is_printed(sizes) if as_printed else True
        if (
            spelt
            and is_card_number(digits)
            and _is_spelling([part.before for part in groups[1 : index + 1]], sizes)
        ):
            found = index + 1
    return found


def _is_printed(sizes: list[int]) -> bool:
    """In one piece, in fours, or as American Express and Diners print theirs."""
    in_fours = all(size % 4 == 0 for size in sizes[:-1])
    return len(sizes) == 1 or in_fours or sizes in ([4, 6, 5], [4, 6, 4])


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
