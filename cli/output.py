"""Output: data on stdout, talk on stderr; tables on a terminal, lines with tabs anywhere else."""

import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Sequence[str]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option of every command that prints data."""


def emit_json(document: object) -> None:
    """One JSON document on stdout, in ASCII: nothing in it can steer a terminal."""
    typer.echo(json.dumps(document, indent=2))


def emit_table(columns: Row, rows: Sequence[Row]) -> None:
    """Rows on stdout: a table on a terminal, else a line a row behind a line of names, tabs between.

    Text may come from outside: control characters are escaped, so that a cell never ends a line.
    """
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            emit_cells(row)
        return
    Console(highlight=False).print(rich_table(columns, rows))


def emit_cells(row: Row) -> None:
    """One line of data on stdout, tabs between."""
    typer.echo("\t".join(plain(cell) for cell in row))


def emit_record(fields: Sequence[tuple[str, str]]) -> None:
    """Names and values on stdout, a line each; values that are empty are left out."""
    shown = [(name, plain(value)) for name, value in fields if value]
    width = max((len(name) for name, _ in shown), default=0) if sys.stdout.isatty() else 0
    for name, value in shown:
        typer.echo(f"{name:<{width}}  {value}" if width else f"{name}\t{value}")


def emit_line(text: str) -> None:
    """One line of data on stdout."""
    typer.echo(plain(text))


def say(text: str) -> None:
    """One line of talk on stderr."""
    typer.echo(plain(text), err=True)


def plain(text: str) -> str:
    """The text as one line that cannot steer a terminal."""
    if text.isprintable():
        return text
    from config.logging import one_line  # noqa: PLC0415 - rarely needed, and structlog takes its time

    return one_line(text)


def rich_table(columns: Row, rows: Sequence[Row]) -> Table:
    """The table as rich draws it: what is too wide is folded, never cut."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table
