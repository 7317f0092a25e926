"""The two parts of a mail, rendered from one page: text of width 78, and HTML that loads nothing."""

import re
import textwrap
from dataclasses import dataclass
from typing import Final, assert_never

from jinja2 import PackageLoader, StrictUndefined, select_autoescape
from jinja2.sandbox import SandboxedEnvironment

from refunds.notifier.sections import Line, Section, Style
from refunds.notifier.wording import Wording

WIDTH: Final = 78
_LABEL_WIDTH: Final = 10


@dataclass(frozen=True, slots=True)
class Page:
    """All that the templates may show; texts are clean."""

    subject: str
    wording: Wording
    money: str
    sections: tuple[Section, ...]
    footer: str


def text_part(page: Page) -> str:
    """Plain text. Commands and links are never broken inside a word, so that they can be copied."""
    return _TEMPLATES.get_template("mail.txt.j2").render(_names(page))


def html_part(page: Page) -> str:
    """HTML with inline styles only: no script, no image, nothing from elsewhere."""
    return _TEMPLATES.get_template("mail.html.j2").render(_names(page))


def _column(section: Section) -> str:
    label = section.label.ljust(_LABEL_WIDTH)
    rows = [row for line in section.lines for row in _rows(line)]
    return "\n".join((label if number == 0 else " " * _LABEL_WIDTH) + row for number, row in enumerate(rows))


def _rows(line: Line) -> list[str]:
    match line.style:
        case Style.PLAIN | Style.STRONG:
            return _wrapped(line.text, lead=line.lead, width=WIDTH - _LABEL_WIDTH)
        case Style.COMMAND:
            return _command(line.text)
        case Style.LINK:
            return [line.text]
        case _:
            assert_never(line.style)


def _command(command: str) -> list[str]:
    """A command that does not fit continues after a backslash: it can still be pasted as it stands."""
    head, *options = re.split(r" (?=--[a-z])", command)
    lines = ["   " + head]
    for option in options:
        if len(f"{lines[-1]} {option} \\") <= WIDTH - _LABEL_WIDTH:
            lines[-1] += f" {option}"
        else:
            lines[-1] += " \\"
            lines.append("     " + option)
    return lines


def _wrapped(text: str, *, lead: str = "", width: int = WIDTH) -> list[str]:
    return textwrap.wrap(
        lead + text,
        width,
        subsequent_indent=" " * len(lead),
        break_on_hyphens=False,
    )


def _names(page: Page) -> dict[str, object]:
    return {name: getattr(page, name) for name in Page.__slots__}


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=PackageLoader("refunds.notifier"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["column"] = _column
    environment.filters["paragraph"] = lambda text: "\n".join(_wrapped(text))
    return environment


_TEMPLATES: Final = _environment()
