"""What the environment decides, read and checked once at start."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.fernet import Fernet, MultiFernet


class Environment(StrEnum):
    """Production refuses whatever is only good enough for trying things out."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"
    TESTING = "testing"


DEMO_ACCOUNT = "示范账户，请勿转账; 示范银行; 0000 0000 0000 0000"
"""Where nobody pays in earnest, the page shows what it looks like."""


def data_keys(text: str) -> MultiFernet:
    """Return what encrypts with the first of these keys and decrypts with any.

    Raises ValueError for a text that is no key, or keys split by commas.
    """
    return MultiFernet([Fernet(one.strip()) for one in text.split(",")])


class SettingsInvalid(Exception):
    """The environment holds settings that cannot work; the message lists all of them."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("Settings that cannot work: " + "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class SignInLimits:
    """How long somebody stays signed in: without a request, and at the longest."""

    idle: timedelta
    longest: timedelta


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting of the application. `.env.example` says what each is for."""

    environment: Environment = Environment.DEVELOPMENT
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = "http://127.0.0.1:8000"
    var_dir: Path = Path("var")
    # None: the embedded cluster under `var_dir`.
    database_url: str | None = None
    pool_size: int = 8
    web_workers: int = 2
    web_threads: int = 8
    # None: the sandbox at `stripe_api_base` takes the payments.
    stripe_secret_key: str | None = field(default=None, repr=False)
    stripe_webhook_secret: str = field(repr=False)
    # None: Stripe's own address.
    stripe_api_base: str | None = None
    sandbox_port: int = 8001
    redis_url: str | None = None
    # How many proxies in front of the shop tell the truth about who asks.
    trusted_proxies: int = 0
    # Where buyers transfer to, as they read it: name; bank; number.
    transfer_account: str | None = None
    limits: SignInLimits = SignInLimits(timedelta(days=7), timedelta(days=30))
    # For staff, auditors and administrators.
    staff_limits: SignInLimits = SignInLimits(timedelta(hours=2), timedelta(hours=12))
    # How long a second factor that was shown is good for.
    factor_life: timedelta = timedelta(hours=8)
    secret_key: str = field(repr=False)
    # The first one encrypts; those after it, split by commas, still decrypt.
    data_key: str = field(repr=False)

    @property
    def payments_are_sandbox(self) -> bool:
        """Whether no real money moves."""
        return self.stripe_secret_key is None

    @property
    def log_dir(self) -> Path:
        """Where every process writes its log."""
        return self.var_dir / "log"

    @property
    def template_dir(self) -> Path:
        """Where compiled templates are kept for the next process."""
        return self.var_dir / "templates"

    @property
    def upload_dir(self) -> Path:
        """Where certificates, proofs and photographs are kept."""
        return self.var_dir / "uploads"

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings; SettingsInvalid lists everything wrong with them at once.

        Outside production, secrets that are not set are drawn once and kept under VAR_DIR.
        """
        reader = _Reader(environ)
        settings = cls._read(reader)
        reader.check_data_key(settings.data_key)
        if reader.problems:
            raise SettingsInvalid(reader.problems)
        return settings

    @classmethod
    def _read(cls, reader: "_Reader") -> "Settings":
        environment = reader.environment()
        in_production = environment is Environment.PRODUCTION
        var_dir = Path(reader.text("VAR_DIR") or "var").absolute()
        host = reader.text("HOST") or "127.0.0.1"
        port, sandbox_port = reader.ports()
        stripe_key = reader.stripe_key()
        sandbox_base = None if stripe_key else f"http://127.0.0.1:{sandbox_port}"
        secret = _Secrets(reader, None if in_production else var_dir)
        if in_production:
            reader.check_production(stripe_key)
        return cls(
            environment=environment,
            host=host,
            port=port,
            public_url=reader.web_address("PUBLIC_URL") or f"http://{host}:{port}",
            var_dir=var_dir,
            database_url=reader.database_url(),
            pool_size=reader.whole("POOL_SIZE", 8, low=1, high=200),
            web_workers=reader.whole("WEB_WORKERS", 2, low=1, high=64),
            web_threads=reader.whole("WEB_THREADS", 8, low=1, high=128),
            stripe_secret_key=stripe_key,
            stripe_webhook_secret=secret("STRIPE_WEBHOOK_SECRET", "whsec_" + secrets.token_hex(24)),
            stripe_api_base=reader.web_address("STRIPE_API_BASE") or sandbox_base,
            sandbox_port=sandbox_port,
            redis_url=reader.text("REDIS_URL"),
            trusted_proxies=reader.whole("TRUSTED_PROXIES", 0, low=0, high=5),
            transfer_account=reader.account("TRANSFER_ACCOUNT")
            or (None if in_production else DEMO_ACCOUNT),
            limits=SignInLimits(
                reader.hours("SESSION_IDLE_HOURS", 7 * 24), reader.hours("SESSION_HOURS", 30 * 24)
            ),
            staff_limits=SignInLimits(
                reader.hours("STAFF_SESSION_IDLE_HOURS", 2), reader.hours("STAFF_SESSION_HOURS", 12)
            ),
            factor_life=reader.hours("FACTOR_HOURS", 8),
            secret_key=secret("SECRET_KEY", secrets.token_hex(32)),
            data_key=secret("DATA_KEY", Fernet.generate_key().decode()),
        )


class _Reader:
    """Takes values out of the environment and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        """The value, or None if it is unset or blank."""
        return self._environ.get(name, "").strip() or None

    def whole(self, name: str, default: int, *, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.text(name)
        if value is None:
            return default
        if value.isdecimal() and low <= int(value) <= high:
            return int(value)
        self.problems.append(f"{name} must be a whole number from {low} to {high}, not {value!r}")
        return default

    def hours(self, name: str, default: int) -> timedelta:
        """A whole number of hours, up to a year's."""
        return timedelta(hours=self.whole(name, default, low=1, high=366 * 24))

    def ports(self) -> tuple[int, int]:
        """The shop's port and the sandbox's, which is the next one unless it is told."""
        port = self.whole("PORT", 8000, low=1, high=65535)
        sandbox_port = self.whole("SANDBOX_PORT", port + 1, low=1, high=65535)
        if port == sandbox_port:
            self.problems.append("SANDBOX_PORT must differ from PORT")
        return port, sandbox_port

    def web_address(self, name: str) -> str | None:
        """An http or https address, without a slash at its end."""
        value = self.text(name)
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            self.problems.append(f"{name} must be an http or https address, not {value!r}")
        return value.rstrip("/")

    def account(self, name: str) -> str | None:
        """A bank account: its name, its bank and its number, divided by semicolons."""
        value = self.text(name)
        if value is not None and [bool(part.strip()) for part in value.split(";")] != [True] * 3:
            self.problems.append(f"{name} must be name; bank; number, not {value!r}")
        return value

    def database_url(self) -> str | None:
        """An address of PostgreSQL. The value may hold a password and is never shown."""
        value = self.text("DATABASE_URL")
        if value is not None and not value.startswith(("postgresql://", "postgresql+psycopg://")):
            self.problems.append("DATABASE_URL must begin with postgresql://")
        return value

    def environment(self) -> Environment:
        """The mode that ENVIRONMENT names."""
        value = self.text("ENVIRONMENT") or Environment.DEVELOPMENT
        if value in list(Environment):
            return Environment(value)
        self.problems.append(f"ENVIRONMENT must be one of {', '.join(Environment)}, not {value!r}")
        return Environment.DEVELOPMENT

    def stripe_key(self) -> str | None:
        """Stripe's key, which goes with a secret for webhooks; None: the sandbox is asked."""
        key = self.text("STRIPE_SECRET_KEY")
        if key and not self.text("STRIPE_WEBHOOK_SECRET"):
            self.problems.append("STRIPE_WEBHOOK_SECRET is needed beside STRIPE_SECRET_KEY")
        return key

    def check_production(self, stripe_key: str | None) -> None:
        """Refuse what must never face real buyers."""
        if stripe_key is None:
            self.problems.append("production needs STRIPE_SECRET_KEY: the sandbox takes no money")
        elif stripe_key.startswith(("sk_test_", "rk_test_")):
            self.problems.append("production needs a live STRIPE_SECRET_KEY, this one is for tests")
        if self.text("STRIPE_API_BASE") is not None:
            self.problems.append("production talks to Stripe itself: unset STRIPE_API_BASE")
        if (self.text("FLASK_DEBUG") or "0").lower() not in ("0", "false", "no"):
            self.problems.append("production runs without FLASK_DEBUG")
        if not (self.text("PUBLIC_URL") or "").startswith("https://"):
            self.problems.append("production needs PUBLIC_URL, an https address")
        if self.text("TRUSTED_PROXIES") is None:
            # Behind a proxy that nobody spoke of, everybody is held to one limit on sign-in.
            self.problems.append("production needs TRUSTED_PROXIES, how many stand in front, or 0")
        for name in ("SECRET_KEY", "DATA_KEY"):
            value = self.text(name)
            if value is None or len(value) < 32 or len(set(value)) < 10:
                self.problems.append(f"production needs {name}, 32 random characters or more")

    def check_data_key(self, key: str) -> None:
        """Refuse keys that could not encrypt anything."""
        try:
            data_keys(key)
        except ValueError:
            self.problems.append(
                "DATA_KEY must be 32 random bytes in URL-safe base64, or several split by commas"
            )


class _Secrets:
    """Secrets from the environment, else from a folder where each is drawn once and kept."""

    def __init__(self, reader: _Reader, keep_in: Path | None) -> None:
        self._reader = reader
        self._keep_in = keep_in

    def __call__(self, name: str, fresh: str) -> str:
        value = self._reader.text(name)
        if value is not None or self._keep_in is None:
            # In production a missing one is already among the problems.
            return value or fresh
        path = self._keep_in / "secrets" / name.lower()
        try:
            path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            _write_once(path, fresh)
            return path.read_text()
        except OSError as error:
            self._reader.problems.append(f"VAR_DIR cannot be written to: {error}")
            return fresh


def _write_once(path: Path, text: str) -> None:
    """Write the file unless it exists. It appears whole, whoever else is starting right now."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
