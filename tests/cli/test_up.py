"""`up` starts the sandbox gateway where a configured gateway is one."""

from pathlib import Path

from cli.up import _uses_sandbox
from config.settings import load


def test_a_sandbox_is_known_by_its_kind_however_its_address_is_written(tmp_path: Path) -> None:
    toml = tmp_path / "moneyback.toml"
    toml.write_text('[gateways.test]\nkind = "sandbox"\nbase_url = "http://localhost:8010/"\n')
    environ = {"MONEYBACK_DATA_DIR": str(tmp_path)}
    assert _uses_sandbox(load(environ=environ, config_file=toml))


def test_without_a_sandbox_none_is_started(tmp_path: Path) -> None:
    environ = {"MONEYBACK_DATA_DIR": str(tmp_path), "MONEYBACK_ENV": "production"}
    assert not _uses_sandbox(load(environ=environ))
