"""The house rules hold in the whole tree, and each of them can be broken."""

import pytest

from tests.house import rules
from tests.house.rules import LONG_FILES, LONGEST_LINES, RULES, SLEEPING_FILES, Rule
from tests.house.tree import Source, listed_files, sources

_BREACHES: list[tuple[Rule, str, str]] = [
    (rules.is_short, "refunds/flow/sweep.py", "x = 1\n" * (LONGEST_LINES + 1)),
    (rules.has_a_job, "refunds/utils/sweep.py", ""),
    (rules.has_a_job, "web/console/templates/base.html.j2", ""),
    (rules.says_what_it_is, "refunds/flow/__init__.py", ""),
    (rules.mocks_nothing, "tests/test_x.py", "from unittest import mock"),
    (rules.mocks_nothing, "tests/test_x.py", "from unittest.mock import patch"),
    (rules.mocks_nothing, "tests/test_x.py", "import unittest.mock"),
    (rules.mocks_nothing, "tests/test_x.py", "def test_x(mocker): ..."),
    (rules.never_sleeps, "worker/pump.py", "import time\ntime.sleep(1)"),
    (rules.never_sleeps, "worker/pump.py", "from time import sleep"),
    (rules.owns_its_todos, "worker/pump.py", "# TO@DO: later"),
    (rules.owns_its_todos, "web/console/page.css", "/* FIX@ME */"),
    (rules.knows_no_machine, "README.md", "see /@home/somebody/notes"),
    (rules.knows_no_machine, "Makefile", "cd '/@work/main'"),
    (rules.knows_no_machine, "Makefile", "--index-url https://py@pi.org/simple"),
    (rules.asserts_something, "tests/test_x.py", "def test_all_is_well_today():\n    do()"),
    (rules.asserts_something, "tests/test_x.py", "def do(): ...\ndef test_all_is_well_today():\n    do()"),
    (rules.is_a_sentence, "tests/test_x.py", "class TestX:\n    def test_refund_works(self): ..."),
    (rules.pins_by_hash, "requirements/dev.txt", "a==1 \\\nb==2 \\\n    --hash=sha256:00"),
    (rules.pins_by_hash, "requirements/dev.txt", "a==1"),
    (rules.pins_by_hash, "requirements/dev.txt", "--index-url https://x.test"),
    (rules.pins_by_hash, "requirements/dev.txt", "a>=1 \\\n    --hash=sha256:00"),
    (rules.explains_its_opt_outs, "pyproject.toml", '[tool.ruff.lint]\nignore = [\n  "EM",\n]'),
    (rules.explains_its_opt_outs, "pyproject.toml", '[tool.ruff.lint.per-file-ignores]\n"x/**" = ["D", "S"]'),
]
"""A rule, and a file that breaks it. Each '@' is taken out first, so that this file itself keeps the rule."""

_HONEST: list[tuple[Rule, str, str]] = [
    (rules.is_short, "refunds/flow/sweep.py", "x = 1\n" * LONGEST_LINES),
    (rules.is_short, "refunds/store/migrations/versions/0001.py", "x = 1\n" * (LONGEST_LINES + 1)),
    (rules.owns_its_todos, "worker/pump.py", "# TODO(somebody): later"),
    (rules.knows_no_machine, "web/api/refunds.py", "router.get('/v1/work/'), 'x.test/home/', 'homework/'"),
    (rules.never_sleeps, "worker/pump.py", "await asyncio.sleep(1)"),
    (rules.never_sleeps, "tests/test_x.py", "time.sleep(1)"),
    (
        rules.asserts_something,
        "tests/test_x.py",
        "def test_all_is_well():\n    with raises(E):\n        do()",
    ),
    (
        rules.asserts_something,
        "tests/test_x.py",
        "def do():\n    assert x\ndef test_all_is_well():\n    do()",
    ),
    (rules.pins_by_hash, "requirements/dev.txt", "a[b]==1 ; os == 'x' \\\n    --hash=sha256:00\n    # via b"),
    (rules.explains_its_opt_outs, "pyproject.toml", '[tool.ruff.lint]\nignore = [\n  "EM", # why\n]'),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_house_rule(rule: Rule) -> None:
    findings = [f"{source.path}:{line}: {what}" for source in sources() for line, what in rule(source)]
    assert not findings, "\n".join([str(rule.__doc__), *findings])


@pytest.mark.parametrize(("rule", "path", "text"), _BREACHES)
def test_every_house_rule_finds_its_breach(rule: Rule, path: str, text: str) -> None:
    assert [line for line, _ in rule(Source(path, text.replace("@", "")))]


@pytest.mark.parametrize(("rule", "path", "text"), _HONEST)
def test_no_house_rule_cries_wolf(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []


def test_every_house_rule_has_a_planted_breach() -> None:
    assert {rule for rule, _, _ in _BREACHES} == set(RULES)


def test_no_lock_file_that_names_download_hosts_is_tracked() -> None:
    names = [(path, path.rsplit("/", 1)[-1]) for path in listed_files()]
    locks = [
        path for path, name in names if name == "uv.lock" or (name[:6], name[-5:]) == ("pylock", ".toml")
    ]
    assert locks == []


@pytest.mark.parametrize("exceptions", [LONG_FILES, SLEEPING_FILES], ids=["LONG_FILES", "SLEEPING_FILES"])
def test_every_exception_is_a_file_with_a_reason(exceptions: dict[str, str]) -> None:
    known = {source.path for source in sources()}
    for path, reason in exceptions.items():
        assert path in known, f"{path} is not there any more"
        assert len(reason.split()) > 2, f"{path} is an exception without a reason"
