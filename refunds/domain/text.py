"""Text from outside, made fit to be stored and shown: one line, printable, bounded, harmless."""

import unicodedata

from refunds.domain.redaction import redacted_text

_KEPT = {"\n": " ", "\r": " ", "\t": " "}


_READ_FOR_ONE = 32
"""So many characters are read for one that is kept: nothing that is cut off may hide half a card number."""


def harmless(text: str, *, limit: int) -> str:
    """As `plain`, and without card data (but for the last four digits), keys and tokens."""
    return redacted_text(plain(text, limit=limit * _READ_FOR_ONE), last_four=True)[:limit]


def plain(text: str, *, limit: int) -> str:
    """One line without control, surrogate or direction-override characters, at most `limit` long."""
    kept = (
        _KEPT.get(char, "" if unicodedata.category(char) in {"Cc", "Cs", "Cf", "Zl", "Zp"} else char)
        for char in text[: limit * 4]
    )
    return " ".join("".join(kept).split())[:limit]
