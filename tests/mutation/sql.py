"""Changes of SQL text: conditions dropped, comparisons shifted, assignments left out, numbers and nulls."""

import re
from collections.abc import Iterator

_MARKS = re.compile(r"\b(SELECT|UPDATE|INSERT|WHERE|SET|CASE|EXISTS|ORDER BY|COALESCE|IS NULL|AND)\b")
_CLAUSE = re.compile(r"\b(SET|WHERE|WHEN|THEN|ELSE|AND|OR|ON|SELECT|FROM|END)\b")
_ENDS = re.compile(r"\b(AND|OR|ORDER BY|LIMIT|RETURNING|FOR UPDATE|GROUP BY|THEN)\b")
_COMPARISON = re.compile(r"<=|>=|<>|<|>|=")
_SHIFTED = {
    "<=": ("<", ">="),
    ">=": (">", "<="),
    "<": ("<=", ">"),
    ">": (">=", "<"),
    "=": ("<>",),
    "<>": ("=",),
}
_CONDITIONAL = frozenset({"WHERE", "WHEN", "AND", "OR", "ON"})
_STATUS = re.compile(r"'(attempting|in_doubt|submitted|voided|queued|requested)'")


def is_sql(text: str) -> bool:
    """Whether a text constant is a piece of SQL: it has a keyword in capitals."""
    return _MARKS.search(text) is not None


def changed_sql(text: str) -> Iterator[tuple[str, str]]:
    """(what was changed, the changed text)."""
    yield from _comparisons(text)
    yield from _conditions(text)
    yield from _assignments(text)
    for old, new in (
        ("IS NOT NULL", "IS NULL"),
        (" SKIP LOCKED", ""),
        ("DISTINCT ON (payment_id) ", ""),
        ("NOT EXISTS", "EXISTS"),
        ("NOT IN", "IN"),
        (" + ", " - "),
        (" - ", " + "),
        ("false", "true"),
        ("THEN NULL", "THEN 1"),
    ):
        yield from _each(text, re.escape(old), new)
    yield from _each(text, r"IS NULL", "IS NOT NULL")
    yield from _each(text, r"(?<![\w:.'$-])(\d+)(?![\w'])", lambda found: str(int(found) + 1))
    yield from _each(text, r"COALESCE\(([\w.:]+), [\w.:]+\)", lambda found: found[9:].split(",")[0])
    yield from _each(text, r"COALESCE\([\w.:]+, ([\w.:]+)\)", lambda found: found[:-1].split(", ")[1])
    yield from _each(text, _STATUS.pattern, "'held'")


def _each(text: str, pattern: str, new: object) -> Iterator[tuple[str, str]]:
    for found in re.finditer(pattern, text):
        replaced = new(found[0]) if callable(new) else str(new)
        told = f"{found[0].strip()} as {replaced.strip() or 'nothing'}"
        yield (
            f"{_around(text, found.start(), found.end())}: {told}",
            text[: found.start()] + replaced + text[found.end() :],
        )


def _comparisons(text: str) -> Iterator[tuple[str, str]]:
    for found in _COMPARISON.finditer(text):
        clauses = _CLAUSE.findall(text[: found.start()])
        if clauses and clauses[-1] in _CONDITIONAL:
            for other in _SHIFTED[found[0]]:
                yield (
                    f"{_around(text, found.start(), found.end())} with {other}",
                    text[: found.start()] + other + text[found.end() :],
                )


def _conditions(text: str) -> Iterator[tuple[str, str]]:
    """Drop each condition after AND; the first after WHERE becomes TRUE."""
    for found in re.finditer(r"\b(AND|WHERE)\b ?", text):
        end = _condition_end(text, found.end())
        condition = text[found.end() : end].strip()
        if condition:
            new = text[: found.start()] + (f"{found[1]} TRUE " if found[1] == "WHERE" else "") + text[end:]
            yield f"no condition {' '.join(condition.split())[:80]}", new
        elif found[1] == "AND":
            yield (
                f"{_around(text, found.start(), found.end())}: AND as OR",
                f"{text[: found.start()]}OR {text[found.end() :]}",
            )


def _condition_end(text: str, start: int) -> int:
    depth = 0
    for index in range(start, len(text)):
        if text[index] == "(":
            depth += 1
        elif text[index] == ")":
            depth -= 1
            if depth < 0:
                return index
        elif depth == 0 and _ENDS.match(text, index) and not text[index - 1].isalnum():
            return index
    return len(text)


def _assignments(text: str) -> Iterator[tuple[str, str]]:
    """Leave out each `name = value` of a SET."""
    for clause in re.finditer(r"\bSET\b", text):
        parts = _split(text, clause.end())
        for index, (start, end) in enumerate(parts):
            told = " ".join(text[start:end].split())
            if len(parts) == 1 or " = " not in told:
                continue
            if index:
                changed = text[: parts[index - 1][1]] + text[end:]
            else:
                changed = f"{text[:start]} {text[parts[1][0] :]}"
            yield f"not set: {told[:80]}", changed


def _split(text: str, start: int) -> list[tuple[int, int]]:
    """Spans of the assignments from here to WHERE, FROM or the end."""
    spans: list[tuple[int, int]] = []
    depth, begin = 0, start
    for index in range(start, len(text)):
        if text[index] in "()":
            depth += 1 if text[index] == "(" else -1
        elif depth == 0 and text[index] == ",":
            spans.append((begin, index))
            begin = index + 1
        elif depth == 0 and re.match(r"\s(WHERE|FROM|RETURNING)\b", text[index:]):
            return [*spans, (begin, index)]
    return [*spans, (begin, len(text))]


def _around(text: str, start: int, end: int) -> str:
    return " ".join(text[max(0, start - 30) : end + 20].split())
