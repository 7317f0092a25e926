"""The documents say what the code says: links, commands, settings, refusals, scripts, events."""

import posixpath
import re
import shlex
from datetime import time
from typing import Any

import pytest
import typer.main

from cli.exits import exit_of
from cli.main import app
from config import sources
from config.settings import GatewaySettings, Settings
from refunds.flow.refusal import Cause
from refunds.flow.scopes import SCOPES
from refunds.sandbox.script import Script
from refunds.store.tables import metadata
from tests.docs.pages import anchors, code_lines, page, pages, rows, without_blocks
from tests.house.tree import ROOT, listed_files
from tests.house.tree import sources as files
from web.api.kinds import KINDS, Fault

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_VARIABLE = re.compile(r"\b(?:MONEYBACK_[A-Z][A-Z_]*|(?:DATABASE|REDIS|SMTP)_URL(?:_FILE)?)\b")
_COMPUTED: tuple[object, ...] = (None, "", ())
"""Defaults that a table tells in words: what becomes of them is decided elsewhere."""


@pytest.mark.parametrize("path", sorted(pages()))
def test_every_relative_link_leads_somewhere(path: str) -> None:
    for target in _LINK.findall(without_blocks(page(path))):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        where = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
        assert (ROOT / where).exists(), f"{path}: {target}"
        if anchor:
            assert anchor in anchors(page(where)), f"{path}: {target}"


@pytest.mark.parametrize("path", sorted(pages()))
def test_every_command_that_is_named_exists(path: str) -> None:
    for line in code_lines(page(path)):
        words = shlex.split(line, comments=True) if line.startswith("moneyback ") else []
        if words:
            _check_command(words[1:], told=f"{path}: {line}")


def test_a_command_that_does_not_exist_would_be_found() -> None:
    for line in ("refund payout", "refund show ID --loud", "queues"):
        with pytest.raises(AssertionError):
            _check_command(line.split(), told=line)


def test_every_make_target_that_is_named_exists_and_the_two_commands_are_shown() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        words[1]
        for text in pages().values()
        for line in code_lines(text)
        if len(words := line.split()) == 2 and words[0] == "make"
    }
    assert named <= targets
    assert {"    make demo", "    make test", "    make run"} <= set(page("README.md").splitlines())


def test_the_readme_lists_every_setting_with_the_default_of_the_code() -> None:
    told = {_name(cells[0]): cells for cells in rows(page("README.md"), under="### Settings")}
    fields = {sources._variable(field): info for field, info in Settings.model_fields.items()}
    del fields["MONEYBACK_GATEWAYS"]  # tables of the file
    assert set(told) == {*fields, "MONEYBACK_CONFIG"}
    for variable, info in fields.items():
        mark, default, _ = told[variable]
        _check_default(variable, told=default, real=info.default)
        assert ("†" in mark) is not info.repr, f"{variable}: only what may hold a secret is marked"


def test_operating_lists_every_key_of_a_gateway_with_the_default_of_the_code() -> None:
    told = {_name(cells[0]): cells[1] for cells in rows(page("docs/operating.md"), under="### Gateways")}
    fields = {
        name: info for name, info in GatewaySettings.model_fields.items() if name not in {"name", "api_key"}
    }
    assert set(told) == set(fields)
    for name, info in fields.items():
        if info.is_required():
            assert told[name] == "required"
        else:
            _check_default(name, told=told[name], real=info.default)


@pytest.mark.parametrize("path", sorted(pages()))
def test_every_setting_that_is_named_exists(path: str) -> None:
    gateways = [{"name": name} for name in ("name", "training")]
    known = sources._known_variables(Settings.model_fields, gateways)
    assert set(_VARIABLE.findall(page(path))) <= known


def test_every_cause_has_its_place_with_the_codes_of_the_code() -> None:
    text = page("docs/problems.md")
    told = re.findall(r"^### `(\w+)`\n\nHTTP (\d+), exit (\d+)\.", text, re.MULTILINE)
    assert told == [(cause, str(KINDS[cause].status), str(exit_of(cause).value)) for cause in Cause]
    faults = {_name(cells[0]): cells[1] for cells in rows(text, under="## Before the flow")}
    assert faults == {fault.value: str(KINDS[fault].status) for fault in Fault}


def test_the_sandbox_page_lists_every_step_of_a_script() -> None:
    told = {
        name
        for cells in rows(page("docs/gateways/sandbox.md"), under="## Scripts")
        for name in re.findall(r"`(\w+)`", cells[0])
    }
    assert told == set(Script.model_json_schema()["properties"]["steps"]["items"]["discriminator"]["mapping"])


def test_the_readme_lists_every_scope() -> None:
    told = [
        name
        for cells in rows(page("README.md"), under="### Who may do what")
        for name in re.findall(r"`([\w:]+)`", cells[0])
    ]
    assert sorted(told) == sorted(SCOPES)


def test_the_architecture_lists_every_table() -> None:
    told = [
        name
        for cells in rows(page("docs/architecture.md"), under="## Tables")
        for name in re.findall(r"`(\w+)`", cells[0])
    ]
    assert sorted(told) == sorted(metadata.tables)


def test_every_log_event_that_operating_names_is_written_somewhere() -> None:
    code = "\n".join(source.text for source in files() if source.is_product)
    for cells in rows(page("docs/operating.md"), under="## Logs"):
        for event in re.findall(r"`([a-z_]+\.\w+)`", cells[0]):
            family = event.partition(".")[0]
            assert f'"{event}"' in code or f'f"{family}.{{' in code, event


def test_every_file_that_is_named_in_code_is_there() -> None:
    named = re.compile(
        r"`((?:refunds|web|worker|scheduler|cli|config|tests|docs|requirements)/[\w./-]*\w/?)`"
    )
    for path, text in pages().items():
        for file in named.findall(text):
            assert (ROOT / file).exists(), f"{path}: {file}"


def test_every_decision_is_one_page_in_the_index_with_its_four_parts() -> None:
    paths = [path for path in listed_files() if path.startswith("docs/adr/")]
    index = page("docs/README.md")
    for number, path in enumerate(paths, 1):
        text = page(path)
        assert text.startswith(f"# {number:04}. "), path
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == [
            "Context",
            "Decision",
            "Consequences",
            "Alternatives",
        ]
        assert path.removeprefix("docs/") in index


def _check_command(words: list[str], *, told: str) -> None:
    """The words lead to one command, and it has the options."""
    found: Any = typer.main.get_command(app)
    options = [word.partition("=")[0] for word in words if word.startswith("-")]
    for word in words:
        commands = getattr(found, "commands", {})
        if not commands or word.startswith("-"):
            break
        assert word in commands, f"there is no such command: {told}"
        found = commands[word]
    known = {"--help", "-h", *(name for each in found.params for name in (*each.opts, *each.secondary_opts))}
    assert set(options) <= known, f"there is no such option: {told}"


def _check_default(name: str, *, told: str, real: object) -> None:
    shown = re.fullmatch(r"`([^`]+)`", told)
    if real in _COMPUTED:
        assert shown is None, f"{name}: there is no such default in the code"
    else:
        assert shown is not None, f"{name}: the code's default is {real}"
        assert shown[1] == _written(real), name


def _written(default: object) -> str:
    """As a person would set it."""
    match default:
        case time():
            return default.strftime("%H:%M")
        case tuple():
            return ",".join(map(str, default))
        case float():
            return f"{default:g}"
        case _:
            return str(default)


def _name(cell: str) -> str:
    found = re.search(r"`(\w+)`", cell)
    assert found is not None, cell
    return found[1]
