"""The house rules that a program can judge. Each takes one file and yields (line, what is wrong)."""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from tests.house.tree import Source

Finding = tuple[int, str]
Rule = Callable[[Source], Iterator[Finding]]

LONGEST_LINES: Final = 300
LONG_FILES: Final[Mapping[str, str]] = {
    "refunds/store/tables.py": "the schema is read as a whole: every table and constraint on one page",
}
"""Python files that may be longer, each with its reason."""
SLEEPING_FILES: Final[Mapping[str, str]] = {}
"""Product files that may call time.sleep, each with its reason."""

_NO_JOB = frozenset({"util", "utils", "helper", "helpers", "common", "manager", "managers", "base"})
_UNOWNED = re.compile(r"(?:#|//|/\*|<!--|--|\{#|;)\s*(?:TODO|FIXME)\b(?!\(\w[\w .-]*\))")
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|farm|home)/")
_REGISTRY_HOST = re.compile(r"pypi\.org|python[h]osted|npm[j]s", re.IGNORECASE)
_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]+\])?==\S+")
_QUOTED = re.compile(r'"([^"]*)"')
_SENTENCE_WORDS = 3
_ASSERTING = frozenset({"raises", "warns", "expect", "fail"})


def is_short(source: Source) -> Iterator[Finding]:
    """No Python file is longer than a person reads in one go, but for those with a reason."""
    length = len(source.lines)
    if not source.is_python:
        return
    if source.path in LONG_FILES:
        if length <= LONGEST_LINES:
            yield 1, f"has {length} lines and needs no place in LONG_FILES any more"
    elif length > LONGEST_LINES:
        yield LONGEST_LINES + 1, f"has {length} lines; split it by meaning, {LONGEST_LINES} is the limit"


def has_a_job(source: Source) -> Iterator[Finding]:
    """No file and no folder has a name that says nothing."""
    for part in source.path.split("/"):
        if part.split(".", 1)[0].lower() in _NO_JOB:
            yield 1, f"{part!r} has no job yet: what has no better name than this has none"


def says_what_it_is(source: Source) -> Iterator[Finding]:
    """Every module and package that ships begins with a docstring."""
    if source.is_product and ast.get_docstring(ast.parse(source.text)) is None:
        yield 1, "has no docstring that says what it is"


def mocks_nothing(source: Source) -> Iterator[Finding]:
    """No test patches our own modules: what needs patching is passed in."""
    if not source.is_test:
        return
    for node in source.nodes:
        match node:
            case ast.Import(names=names) if any(name.name in {"mock", "unittest.mock"} for name in names):
                yield node.lineno, "imports mock"
            case ast.ImportFrom(module="mock" | "unittest.mock"):
                yield node.lineno, "imports mock"
            case ast.ImportFrom(module="unittest", names=names) if any(name.name == "mock" for name in names):
                yield node.lineno, "imports mock"
            case ast.arg(arg="mocker"):
                yield node.lineno, "asks for mocker"


def never_sleeps(source: Source) -> Iterator[Finding]:
    """No product code blocks a thread by sleeping, but where there is a reason."""
    if not source.is_product:
        return
    calls = [
        node.lineno
        for node in source.nodes
        if (isinstance(node, ast.Attribute) and ast.unparse(node) == "time.sleep")
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "time"
            and any(name.name == "sleep" for name in node.names)
        )
    ]
    if source.path in SLEEPING_FILES:
        if not calls:
            yield 1, "does not sleep and needs no place in SLEEPING_FILES any more"
        return
    for line in calls:
        yield line, "sleeps: wait for an event with a time limit, or list the file with its reason"


def owns_its_todos(source: Source) -> Iterator[Finding]:
    """Whatever is left to do has an owner."""
    for number, line in enumerate(source.lines, 1):
        if _UNOWNED.search(line):
            yield number, "leaves work without an owner: write TODO(name)"


def knows_no_machine(source: Source) -> Iterator[Finding]:
    """No path of anybody's machine, no host of a package registry."""
    for number, line in enumerate(source.lines, 1):
        if found := _MACHINE_PATH.search(line):
            yield number, f"names a path of one machine: {found[0]}"
        if found := _REGISTRY_HOST.search(line):
            yield number, f"names a package registry: {found[0]}"


def asserts_something(source: Source) -> Iterator[Finding]:
    """Every test can fail: it asserts, expects an error, or calls a function of its module that does."""
    if not source.is_test_module:
        return
    functions = {node.name: node for node in source.nodes if isinstance(node, _FUNCTION)}
    asserting = {name for name, function in functions.items() if _asserts(function, also=frozenset())}
    for name, function in functions.items():
        if name.startswith("test_") and not _asserts(function, also=asserting):
            yield function.lineno, f"{name} cannot fail: it asserts nothing"


def is_a_sentence(source: Source) -> Iterator[Finding]:
    """The name of a test says what is so."""
    if not source.is_test_module:
        return
    for node in source.nodes:
        if isinstance(node, _FUNCTION) and node.name.startswith("test_"):
            words = node.name.removeprefix("test_").split("_")
            if len(words) < _SENTENCE_WORDS:
                yield node.lineno, f"{node.name} is no sentence: say what is so"


def pins_by_hash(source: Source) -> Iterator[Finding]:
    """Every line of a requirements file is a hashed pin or a comment; no address, no option."""
    if not (source.path.startswith("requirements/") and source.path.endswith(".txt")):
        return
    pin: Finding | None = None
    for number, line in enumerate(source.lines, 1):
        content = line.split("#", 1)[0].strip().removesuffix("\\").strip()
        if "://" in line:
            yield number, "holds an address"
        if content.startswith("--hash=sha256:"):
            pin = None
        elif _PIN.match(content):
            if pin is not None:
                yield pin
            pin = number, f"{content} has no hash"
        elif content:
            yield number, f"{content!r} is neither a pin nor a hash"
    if pin is not None:
        yield pin


def explains_its_opt_outs(source: Source) -> Iterator[Finding]:
    """Every ruff opt-out of pyproject.toml carries its reason on its own line."""
    if source.path != "pyproject.toml":
        return
    lint = tomllib.loads(source.text)["tool"]["ruff"]["lint"]
    per_file = lint.get("per-file-ignores", {}).values()
    opt_outs = {*lint.get("ignore", []), *(code for codes in per_file for code in codes)}
    for number, line in enumerate(source.lines, 1):
        entries, _, reason = line.partition("#")
        for code in opt_outs.intersection(_QUOTED.findall(entries)):
            if not reason.strip():
                yield number, f"opts out of {code} without a reason"


RULES: Final[tuple[Rule, ...]] = (
    is_short,
    has_a_job,
    says_what_it_is,
    mocks_nothing,
    never_sleeps,
    owns_its_todos,
    knows_no_machine,
    asserts_something,
    is_a_sentence,
    pins_by_hash,
    explains_its_opt_outs,
)

_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def _asserts(function: ast.AST, *, also: frozenset[str] | set[str]) -> bool:
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rsplit(".", 1)[-1]
            if name in _ASSERTING or name in also or name.startswith(("assert_", "check_")):
                return True
    return False
