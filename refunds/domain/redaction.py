"""Redaction: no card data, no key and no token in what is kept, logged or told; refused in what is asked."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from refunds.domain import card
from refunds.domain.card_data import card_data_in, names_code, without_card_data
from refunds.domain.secret import SECRET_NAME, SURE_NAME, without_secrets

MOST_DEEP = 12

_SHORTEST = len("pwd=x")


def redacted_text(text: str, *, last_four: bool = False) -> str:
    """The text without keys, tokens and card data; `last_four` lets people recognise a card."""
    return without_card_data(without_secrets(text), last_four=last_four)


def found_in(text: str) -> str | None:
    """What a text holds that must not be kept, in words; None if nothing."""
    if len(text) < _SHORTEST:
        return None
    if without_secrets(text) != text:
        return "a key or token"
    return card_data_in(text)


def redacted(value: object, *, depth: int = 0, most_deep: int = MOST_DEEP) -> object:
    """The value in JSON's own types, without secrets and card data, at any depth.

    Whatever stands under a key named like a secret becomes `***` (None stays None); every string goes
    through `redacted_text`; a card number that is split over neighbours is found; what JSON does not know
    becomes its redacted text; what is deeper than `most_deep` is left out. Raises RecursionError where that
    is too much.
    """
    match value:
        case Mapping() | list() | tuple() | set() | frozenset():
            return _redacted_whole(value, depth=depth, most_deep=most_deep)
        case None | bool() | int() | float() if _is_plain(value):
            return value
        case bytes():
            return redacted_text(value.decode(errors="backslashreplace"))
        case _:
            return redacted_text(repr(value) if isinstance(value, BaseException) else str(value))


def forbidden(document: object, *, most: int) -> list[tuple[str, str]]:
    """(JSON pointer, what it holds) of up to `most` places that must not be kept; never the value itself.

    However deep; a pointer shows no card data and no secret either.
    """
    return list(islice(_forbidden(document), most))


def _is_plain(value: object) -> bool:
    """JSON's own, and no card number written as one."""
    if isinstance(value, float):
        return math.isfinite(value)
    return not isinstance(value, int) or not card.is_card_number(str(value))


def _redacted_whole(value: Any, *, depth: int, most_deep: int) -> object:
    if depth >= most_deep:
        return "[too deep]"
    if isinstance(value, Mapping):
        return _redacted_fields(value, depth=depth + 1, most_deep=most_deep)
    items = list(value)
    split = _split(("", item) for item in items)
    return [
        "[card]" if index in split else redacted(item, depth=depth + 1, most_deep=most_deep)
        for index, item in enumerate(items)
    ]


def _redacted_fields(fields: Mapping[object, object], *, depth: int, most_deep: int) -> dict[str, object]:
    items = [(str(key), item) for key, item in fields.items()]
    split = _split(items)
    clean: dict[str, object] = {}
    for index, (key, item) in enumerate(items):
        known = _name(key)
        name = known.shown
        if index in split:
            clean[name] = "[card]"
        elif known.hides and item is not None:
            clean[name] = "***"
        elif isinstance(item, int) and key.endswith("_minor"):
            clean[name] = item
        else:
            clean[name] = redacted(item, depth=depth, most_deep=most_deep)
    return clean


def _forbidden(document: object) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, str, object]] = [("", "", document)]
    while waiting:
        pointer, name, value = waiting.pop()
        if isinstance(value, Mapping):
            items = [(str(key), item) for key, item in value.items()]
            yield from ((pointer, f"{what} in a name") for key, _ in items if (what := _name(key).holds))
            split = _split(items)
        elif isinstance(value, list | tuple):
            items = [(str(index), item) for index, item in enumerate(value)]
            split = _split(("", item) for item in value)
        else:
            if what := _forbidden_value(name, value):
                yield pointer, what
            continue
        inner = [(f"{pointer}/{_name(key).part}", key, item) for key, item in items]
        yield from ((inner[index][0], "a part of a card number") for index in sorted(split))
        waiting += reversed(inner)


def _forbidden_value(name: str, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    known = _name(name)
    if known.is_secret and isinstance(value, str):
        return "a key or token"
    if known.is_code and card_data_in(f"{name}: {value}") == "a card's security code":
        return "a card's security code"
    return found_in(value) if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class _Name:
    """What a field's name says. `part` is its part of a JSON pointer (RFC 6901), bounded and harmless."""

    shown: str
    part: str
    hides: bool
    holds: str | None
    is_secret: bool
    is_code: bool
    may_be_split: bool


_PLAIN_NAME = re.compile("[A-Za-z_]{1,40}[0-9]{0,3}|[0-9]{1,4}")


def _name(key: str) -> _Name:
    """The same few, for every document; none that may hold a number is remembered."""
    return _remembered(key) if _PLAIN_NAME.fullmatch(key) else _judged(key)


@lru_cache(maxsize=1024)
def _remembered(key: str) -> _Name:
    return _judged(key)


def _judged(key: str) -> _Name:
    return _Name(
        shown=redacted_text(key),
        part=redacted_text(key).replace("~", "~0").replace("/", "~1")[:100],
        hides=SECRET_NAME.search(key) is not None,
        holds=found_in(key),
        is_secret=SURE_NAME.search(key) is not None,
        is_code=names_code(key),
        may_be_split=card.names_part(key),
    )


_PART_LIMIT = 40


def _split(items: Iterable[tuple[str, object]]) -> set[int]:
    """Indexes of neighbours that together are one card number: of a list, or of names that say so."""
    found: set[int] = set()
    parts: list[tuple[int, str]] = []
    for index, (name, item) in enumerate(items):
        digits = ""
        if isinstance(item, str) and len(item) <= _PART_LIMIT and _name(name).may_be_split:
            digits = card.digits_of_part(item)
        if not digits:
            parts = []
            continue
        parts.append((index, digits))
        for start in range(len(parts) - 1):
            if card.is_card_number("".join(part for _, part in parts[start:])):
                found.update(place for place, _ in parts[start:])
                parts = []
                break
    return found
