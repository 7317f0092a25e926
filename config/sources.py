"""Where settings come from: environment, files of secrets and moneyback.toml; and what is wrong there."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from config.checks import shown

Fields = Mapping[str, FieldInfo]
"""The fields of a model by name. One that is not shown in `repr` is a secret."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read, not judged yet. `problems` holds a line for each unreadable source and unknown name."""

    values: Mapping[str, object]
    gateways: Sequence[Mapping[str, object]]
    problems: Sequence[str]


def read(
    environ: Mapping[str, str], config_file: Path | None, *, fields: Fields, gateway_fields: Fields
) -> Sources:
    """Values for `fields`, and for `gateway_fields` of each gateway: `environ` over the TOML file.

    The file is `config_file`, else the one MONEYBACK_CONFIG names, else moneyback.toml in the current folder
    if there is one. A value found nowhere is left out. Never raises: what is wrong is a problem.
    """
    problems: list[str] = []
    plain = {name: info for name, info in fields.items() if name != "gateways"}
    table = _table(environ, config_file, problems)
    entries = table.pop("gateways", {})
    problems += (
        f"{key!r} in the TOML file: unknown key{_hint(key, plain)}" for key in table if key not in plain
    )
    values = _values(environ, table, problems, fields=plain)
    gateways = _gateways(environ, entries, problems, fields=gateway_fields)
    known = _known_variables(plain, gateways)
    problems += (
        f"{name}: unknown variable{_hint(name, known)}"
        for name in sorted(environ)
        if name.startswith("MONEYBACK_") and name not in known and not _is_for_tests(name)
    )
    return Sources(values, gateways, problems)


def problem(
    detail: ErrorDetails, gateways: Sequence[Mapping[str, object]], *, fields: Fields, gateway_fields: Fields
) -> str:
    """One line: where it comes from, what is wrong, what is allowed. Never the value of a secret."""
    match detail["loc"]:
        case ("gateways", int(index), str(field), *_):
            name = str(gateways[index]["name"])
            where = _key_variable(name) if field == "api_key" else f"[gateways.{name}] {field}"
            info = gateway_fields[field]
        case (field, *_):
            where = f"{_variable(str(field))} (toml: {field})"
            info = fields[str(field)]
    if detail["type"] == "value_error":
        wrong = str(detail["ctx"]["error"])
    elif detail["type"] == "missing":
        wrong = "is missing"
    elif info.repr:
        wrong = f"{shown(detail['input'])} cannot be used"
    else:
        wrong = "cannot be used"
    allowed = info.description or ", ".join(get_args(info.annotation))
    return f"{where}: {wrong}; allowed: {allowed}"


_PLAIN_VARIABLES = {
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "smtp_url": "SMTP_URL",
    "port": "PORT",
    "environment": "MONEYBACK_ENV",
}


def _variable(field: str) -> str:
    return _PLAIN_VARIABLES.get(field, f"MONEYBACK_{field.upper()}")


def _key_variable(gateway: str) -> str:
    return f"MONEYBACK_GATEWAY_{gateway.upper().replace('-', '_')}_API_KEY"


def _known_variables(fields: Fields, gateways: Sequence[Mapping[str, object]]) -> set[str]:
    secrets = [_variable(field) for field, info in fields.items() if not info.repr]
    secrets += [_key_variable(str(gateway["name"])) for gateway in gateways]
    return {"MONEYBACK_CONFIG", *map(_variable, fields), *secrets, *(f"{name}_FILE" for name in secrets)}


def _is_for_tests(variable: str) -> bool:
    """Read by our own tests, which start processes of ours with the environment they have."""
    return variable == "MONEYBACK_UPDATE_SNAPSHOTS" or variable.startswith("MONEYBACK_TEST_")


def _hint(name: str, known: Iterable[str]) -> str:
    bare = name.removeprefix("MONEYBACK_")
    close = [bare] if bare in known else difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _table(environ: Mapping[str, str], config_file: Path | None, problems: list[str]) -> dict[str, object]:
    named = environ.get("MONEYBACK_CONFIG")
    path = config_file or Path("moneyback.toml" if named is None else named)
    if config_file is None and named is None and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else f"not a TOML file in UTF-8: {error}"
        problems.append(
            f"MONEYBACK_CONFIG: {str(path)!r} cannot be read: {why}; allowed: the path of a TOML file"
        )
        return {}


def _values(
    environ: Mapping[str, str], table: Mapping[str, object], problems: list[str], *, fields: Fields
) -> dict[str, object]:
    values: dict[str, object] = {}
    for field, info in fields.items():
        text = _text(environ, _variable(field), problems, secret=not info.repr)
        value = table.get(field) if text is None else text
        if value == "":
            problems.append(f"{_variable(field)} (toml: {field}): is empty; leave it out to get the default")
        elif value is not None:
            values[field] = value
    return values


def _text(environ: Mapping[str, str], variable: str, problems: list[str], *, secret: bool) -> str | None:
    """The variable's text without blanks around it, or its file's; None where it is not set or unreadable."""
    text = environ.get(variable)
    file = environ.get(f"{variable}_FILE") if secret else None
    if file is not None and text is not None:
        problems.append(f"{variable}: is set together with {variable}_FILE; allowed: one of the two")
        return None
    if file is not None:
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            # The path is not repeated: people put the secret itself there by mistake.
            problems.append(f"{variable}_FILE: cannot be read: {why}; allowed: the path of a text file")
    return None if text is None else text.strip()


def _gateways(
    environ: Mapping[str, str], entries: object, problems: list[str], *, fields: Fields
) -> list[dict[str, object]]:
    if not isinstance(entries, dict):
        problems.append("gateways in the TOML file: is not a table; allowed: tables [gateways.NAME]")
        return []
    keys = [key for key in fields if key not in {"name", "api_key"}]
    gateways: list[dict[str, object]] = []
    for name, entry in entries.items():
        where = f"[gateways.{name}]"
        if not isinstance(entry, dict):
            problems.append(f"{where}: is not a table; allowed: {', '.join(keys)}")
            continue
        variable = _key_variable(name)
        if any(_key_variable(str(other["name"])) == variable for other in gateways):
            problems.append(f"{where}: shares {variable} with another gateway; allowed: a name of its own")
        if "api_key" in entry:
            problems.append(
                f"{where} api_key: a key never stands in the file; allowed: {variable} or {variable}_FILE"
            )
        problems += (
            f"{where} {key!r}: unknown key{_hint(key, keys)}"
            for key in entry
            if key not in {*keys, "api_key"}
        )
        key = _text(environ, variable, problems, secret=True)
        if key == "":
            problems.append(f"{variable}: is empty; leave it out if the gateway takes no key")
        gateways.append(
            {key: entry[key] for key in keys if key in entry} | {"name": name, "api_key": key or None}
        )
    return gateways
