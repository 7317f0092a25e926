"""The documents as tests read them: pages, tables, code, headings."""

import re
from collections.abc import Iterator

from tests.house.tree import ROOT, listed_files

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def pages() -> dict[str, str]:
    """Text of every Markdown file of the tree, by its path from the root."""
    return {path: page(path) for path in listed_files() if path.endswith(".md")}


def page(path: str) -> str:
    """Text of one page."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Contents of the fenced blocks of a language."""
    return [found[3] for found in _FENCE.finditer(text) if found[2] == language]


def without_blocks(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def code_lines(text: str) -> Iterator[str]:
    """Lines of blocks, joined where one ends in a backslash, and code inside sentences."""
    for found in _FENCE.finditer(text):
        yield from found[3].replace("\\\n", " ").splitlines()
    prose = without_blocks(text)
    yield from (line.strip() for line in prose.splitlines() if line.startswith("    "))
    yield from (found[1] for found in _SPAN.finditer(prose))


def rows(text: str, *, under: str) -> list[list[str]]:
    """Cells of the first table under a heading, without its head."""
    _, _, after = text.partition(f"\n{under}\n")
    assert after, f"there is no heading {under!r}"
    lines = after.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("|"))
    table: list[list[str]] = []
    for line in lines[first + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def anchors(text: str) -> set[str]:
    """Names by which a link reaches the headings, made as GitHub makes them."""
    names = set()
    for line in without_blocks(text).splitlines():
        if line.startswith("#"):
            heading = re.sub(r"[^\w\- ]", "", line.lstrip("#").strip().lower())
            names.add(heading.replace(" ", "-"))
    return names
