"""Text from outside, made fit to be stored and shown: one line, printable, bounded."""

import unicodedata

_KEPT = {"\n": " ", "\r": " ", "\t": " "}


def plain(text: str, *, limit: int) -> str:
    """One line without control, surrogate or direction-override characters, at most `limit` long."""
    kept = (
        _KEPT.get(char, "" if unicodedata.category(char) in {"Cc", "Cs", "Cf", "Zl", "Zp"} else char)
        for char in text[: limit * 4]
    )
    return " ".join("".join(kept).split())[:limit]
