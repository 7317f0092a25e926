"""The files that are ours: what git tracks or would track, read once."""

import ast
import subprocess
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("cli", "config", "refunds", "scheduler", "web", "worker")
MIGRATIONS = "refunds/store/migrations/"


@dataclass(frozen=True)
class Source:
    """One text file: its path from the root, with slashes, and its text."""

    path: str
    text: str

    @property
    def name(self) -> str:
        """The last part of the path, without any suffix."""
        return self.path.rsplit("/", 1)[-1].split(".", 1)[0]

    @property
    def is_python(self) -> bool:
        """Python of ours; migrations keep Alembic's form."""
        return self.path.endswith(".py") and not self.path.startswith(MIGRATIONS)

    @property
    def is_product(self) -> bool:
        """Python that ships."""
        return self.is_python and self.path.split("/", 1)[0] in PRODUCT

    @property
    def is_test(self) -> bool:
        """Python under tests, servers and fixtures included."""
        return self.is_python and self.path.startswith("tests/")

    @property
    def is_test_module(self) -> bool:
        """A file that pytest collects."""
        return self.is_test and self.name.startswith("test_")

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines."""
        return self.text.splitlines()

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Every node of a Python file."""
        return list(ast.walk(ast.parse(self.text)))


@cache
def sources() -> tuple[Source, ...]:
    """Every text file that is tracked, or untracked and not ignored."""
    found = []
    for path in listed_files():
        try:
            content = (ROOT / path).read_bytes()
        except FileNotFoundError:
            continue  # still listed, deleted from the folder
        if b"\0" not in content:
            found.append(Source(path, content.decode(errors="replace")))
    return tuple(found)


@cache
def listed_files() -> tuple[str, ...]:
    """Their paths, binary files too."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    return tuple(sorted({path for path in listing.stdout.split("\0") if path}))
