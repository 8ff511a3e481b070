"""What an installation can set: environment variables, their defaults, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1024 * 1024


class BadSetting(ValueError):
    """An environment variable has a value that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One installation's settings. docs/configuration.md explains each; a test holds both together."""

    data_dir: Path
    database_url: str
    redis_url: str | None = None
    public_url: str | None = None
    secret_key: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    trusted_proxies: int = 0
    assets: str = "cdn"
    brand_name: str = "Tributary"
    web_threads: int = 32
    max_event_bytes: int = MEBIBYTE
    max_body_bytes: int = 5 * MEBIBYTE
    max_custom_attributes: int = 1000
    retention_days: int = 0
    session_days: int = 14
    metrics_token: str = ""
    testing: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Read the settings of this process.

        Args:
            env: the variables; `os.environ` unless given.

        Raises:
            BadSetting: a variable has a value that cannot be used.
        """
        env = os.environ if env is None else env
        data_dir = Path(env.get("DATA_DIR") or "data").absolute()
        return cls(
            data_dir=data_dir,
            database_url=_database(env.get("DATABASE_URL") or f"sqlite:///{data_dir}/tributary.db"),
            redis_url=env.get("REDIS_URL") or None,
            public_url=_public(env.get("PUBLIC_URL")),
            secret_key=env.get("SECRET_KEY") or _kept_secret(data_dir),
            host=env.get("HOST") or "127.0.0.1",
            port=_number(env, "PORT", 8000, 1, 65535),
            trusted_proxies=_number(env, "TRUSTED_PROXIES", 0, 0, 10),
            assets=_choice(env, "ASSETS", "cdn", ("cdn", "local")),
            brand_name=env.get("BRAND_NAME") or "Tributary",
            web_threads=_number(env, "WEB_THREADS", 32, 1, 512),
            max_event_bytes=_number(env, "MAX_EVENT_BYTES", MEBIBYTE, 1024, 64 * MEBIBYTE),
            max_body_bytes=_number(env, "MAX_BODY_BYTES", 5 * MEBIBYTE, 1024, 256 * MEBIBYTE),
            max_custom_attributes=_number(env, "MAX_CUSTOM_ATTRIBUTES", 1000, 1, 100_000),
            retention_days=_number(env, "RETENTION_DAYS", 0, 0, 36_500),
            session_days=_number(env, "SESSION_DAYS", 14, 1, 365),
            metrics_token=env.get("METRICS_TOKEN") or "",
        )


def _number(env: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = env.get(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise BadSetting(f"{name} must be a whole number, not {text!r}.") from None
    if not least <= value <= most:
        raise BadSetting(f"{name} must lie between {least} and {most}; it is {value}.")
    return value


def _choice(env: Mapping[str, str], name: str, default: str, choices: tuple[str, ...]) -> str:
    value = env.get(name) or default
    if value not in choices:
        raise BadSetting(f"{name} must be one of {', '.join(choices)}; it is {value!r}.")
    return value


def _public(url: str | None) -> str | None:
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise BadSetting(f"PUBLIC_URL must begin with http:// or https://; it is {url!r}.")
    return url.rstrip("/")


def _database(url: str) -> str:
    """The SQLAlchemy URL: `postgres://` and `postgresql://`, as people write them, mean psycopg here."""
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            return "postgresql+psycopg://" + url.removeprefix(short)
    if not url.startswith(("sqlite:", "postgresql+psycopg:")):
        raise BadSetting("DATABASE_URL must begin with sqlite: or postgresql:.")
    return url


def _kept_secret(data_dir: Path) -> str:
    """The key that the first start put into the data directory; empty where there is none yet."""
    try:
        return (data_dir / "secret_key").read_text().strip()
    except OSError:
        return ""
