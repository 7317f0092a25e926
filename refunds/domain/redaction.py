"""Redaction: no card data, no key and no token in what is kept, logged or told; refused in what is asked."""

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any

from refunds.domain import card
from refunds.domain.card_data import card_data_in, without_card_data
from refunds.domain.secret import SECRET_NAME, SURE_NAME, without_secrets

MOST_DEEP = 12


def redacted_text(text: str, *, last_four: bool = False) -> str:
    """The text without keys, tokens and card data; `last_four` lets people recognise a card."""
    return without_card_data(without_secrets(text), last_four=last_four)


def found_in(text: str) -> str | None:
    """What a text holds that must not be kept, in words; None if nothing."""
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
        name, is_secret = _key(key)
        if index in split:
            clean[name] = "[card]"
        elif is_secret and item is not None:
            clean[name] = "***"
        elif isinstance(item, int) and key.endswith("_minor"):
            clean[name] = item
        else:
            clean[name] = redacted(item, depth=depth, most_deep=most_deep)
    return clean


@lru_cache(maxsize=1024)
def _key(name: str) -> tuple[str, bool]:
    """A key as it is written, and whether a secret stands under it: the same few, for every event."""
    return redacted_text(name), SECRET_NAME.search(name) is not None


def _forbidden(document: object) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, str, object]] = [("", "", document)]
    while waiting:
        pointer, name, value = waiting.pop()
        if isinstance(value, Mapping):
            items = [(str(key), item) for key, item in value.items()]
            yield from ((pointer, f"{what} in a name") for key, _ in items if (what := found_in(key)))
            split = _split(items)
        elif isinstance(value, list | tuple):
            items = [(str(index), item) for index, item in enumerate(value)]
            split = _split(("", item) for item in value)
        else:
            if what := _forbidden_value(name, value):
                yield pointer, what
            continue
        inner = [(f"{pointer}/{_part(key)}", key, item) for key, item in items]
        yield from ((inner[index][0], "a part of a card number") for index in sorted(split))
        waiting += reversed(inner)


def _forbidden_value(name: str, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        return None
    if isinstance(value, str) and SURE_NAME.search(name):
        return "a key or token"
    if name and not name.isdigit() and card_data_in(f"{name}: {value}") == "a card's security code":
        return "a card's security code"
    return found_in(value) if isinstance(value, str) else None


def _part(key: str) -> str:
    """One part of a JSON pointer (RFC 6901), bounded."""
    return redacted_text(key).replace("~", "~0").replace("/", "~1")[:100]


_PART_LIMIT = 40


def _split(items: Iterable[tuple[str, object]]) -> set[int]:
    """Indexes of neighbours that together are one card number: of a list, or of names that say so."""
    found: set[int] = set()
    parts: list[tuple[int, str]] = []
    for index, (name, item) in enumerate(items):
        digits = card.digits_of_part(item) if isinstance(item, str) and len(item) <= _PART_LIMIT else ""
        if not digits or not card.names_part(name):
            parts = []
            continue
        parts.append((index, digits))
        for start in range(len(parts) - 1):
            if card.is_card_number("".join(part for _, part in parts[start:])):
                found.update(place for place, _ in parts[start:])
                parts = []
                break
    return found
