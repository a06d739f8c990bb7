"""Settings come from the environment, and what cannot work is said at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from kernel.settings import Environment, Settings, SettingsInvalid

ROOT = Path(__file__).parents[2]
LINE = re.compile("#?[A-Z_]+=")
PRODUCTION = {
    "ENVIRONMENT": "production",
    "PUBLIC_URL": "https://shop.example",
    "TRUSTED_PROXIES": "0",
    "STRIPE_SECRET_KEY": "sk_live_" + "0123456789abcdef" * 2,
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789",
    "SECRET_KEY": "0123456789abcdef" * 4,
    "DATA_KEY": Fernet.generate_key().decode(),
}


def problems(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsInvalid) as refused:
        Settings.from_environ(environ)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_nothing_needs_to_be_set_for_a_first_try(tmp_path: Path) -> None:
    settings = Settings.from_environ({"VAR_DIR": str(tmp_path)})
    assert settings.environment is Environment.DEVELOPMENT
    assert (settings.port, settings.sandbox_port) == (8000, 8001)
    assert settings.database_url is None
    assert settings.payments_are_sandbox
    assert settings.stripe_api_base == "http://127.0.0.1:8001"


class Asked(dict[str, str]):
    """An environment that remembers which names it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return super().get(key, default)


def test_every_setting_stands_in_the_example_with_its_default(tmp_path: Path) -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    told = [line.removeprefix("#").partition("=") for line in lines if LINE.match(line)]
    asked = Asked({"VAR_DIR": str(tmp_path)})
    settings = Settings.from_environ(asked)
    assert sorted(name for name, _, _ in told) == sorted(asked.names)
    written = {line.partition("=")[0]: line.partition("=")[2] for line in lines if line[:1] != "#"}
    written.pop("")
    assert len(written) > 10
    assert Settings.from_environ({**written, "VAR_DIR": str(tmp_path)}) == settings


def test_secrets_are_drawn_once_and_kept_from_others(tmp_path: Path) -> None:
    first = Settings.from_environ({"VAR_DIR": str(tmp_path / "one")})
    again = Settings.from_environ({"VAR_DIR": str(tmp_path / "one")})
    other = Settings.from_environ({"VAR_DIR": str(tmp_path / "two")})
    assert first == again
    assert first.secret_key != other.secret_key
    assert first.data_key != other.data_key
    kept = list((tmp_path / "one" / "secrets").iterdir())
    assert {path.name for path in kept} == {"secret_key", "data_key", "stripe_webhook_secret"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in [*kept, kept[0].parent])


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    settings = Settings.from_environ({"VAR_DIR": str(tmp_path)})
    for secret in (settings.secret_key, settings.data_key, settings.stripe_webhook_secret):
        assert secret not in repr(settings)


def test_every_mistake_is_named_at_once(tmp_path: Path) -> None:
    said = problems(
        {
            "VAR_DIR": str(tmp_path),
            "PORT": "http",
            "WEB_WORKERS": "0",
            "DATABASE_URL": "mysql://secret@host/db",
            "PUBLIC_URL": "shop.example",
            "DATA_KEY": "short",
            "ENVIRONMENT": "staging",
        }
    )
    for name in ("PORT", "WEB_WORKERS", "DATABASE_URL", "PUBLIC_URL", "DATA_KEY", "ENVIRONMENT"):
        assert name in said
    assert "secret@" not in said


def test_a_stripe_key_needs_its_webhook_secret(tmp_path: Path) -> None:
    environ = {"VAR_DIR": str(tmp_path), "STRIPE_SECRET_KEY": "sk_test_1"}
    assert "STRIPE_WEBHOOK_SECRET" in problems(environ)


def test_production_starts_when_everything_is_real() -> None:
    settings = Settings.from_environ(PRODUCTION)
    assert settings.environment is Environment.PRODUCTION
    assert settings.stripe_api_base is None


@pytest.mark.parametrize(
    "change",
    [
        {"SECRET_KEY": ""},
        {"SECRET_KEY": "change-me"},
        {"SECRET_KEY": "x" * 64},
        {"DATA_KEY": ""},
        {"STRIPE_SECRET_KEY": ""},
        {"STRIPE_SECRET_KEY": "sk_test_0123456789abcdef"},
        {"STRIPE_API_BASE": "http://127.0.0.1:8001"},
        {"FLASK_DEBUG": "1"},
        {"PUBLIC_URL": "http://shop.example"},
        {"TRUSTED_PROXIES": ""},
    ],
)
def test_production_refuses_what_is_only_good_for_trying(change: dict[str, str]) -> None:
    (name,) = change
    assert name in problems(PRODUCTION | change)


def test_production_never_draws_a_secret(tmp_path: Path) -> None:
    problems({"ENVIRONMENT": "production", "VAR_DIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_the_account_for_transfers_has_three_parts_and_none_is_made_up_in_production(
    tmp_path: Path,
) -> None:
    here = {"VAR_DIR": str(tmp_path)}
    assert "示范账户" in (Settings.from_environ(here).transfer_account or "")
    assert Settings.from_environ(PRODUCTION | here).transfer_account is None
    whole = "某平台; 某银行某支行; 1234"
    assert Settings.from_environ(here | {"TRANSFER_ACCOUNT": whole}).transfer_account == whole
    for wrong in ("某平台", "某平台; ; 1234", "a; b; c; d"):
        assert "TRANSFER_ACCOUNT" in problems(here | {"TRANSFER_ACCOUNT": wrong})
