"""Encrypted text columns for what is sensitive: phone, identity number, bank account."""

from __future__ import annotations

from typing import Any

from cryptography.fernet import Fernet
from flask import current_app
from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator


def _fernet() -> Fernet:
    fernet: Fernet = current_app.extensions["data_key"]
    return fernet


class EncryptedText(TypeDecorator[str]):
    """Text that is stored encrypted with the installation's data key (Fernet)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else _fernet().encrypt(value.encode()).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else _fernet().decrypt(str(value).encode()).decode()


def mask(text: str | None, *, keep_start: int = 1, keep_end: int = 0) -> str:
    """Return `text` with its middle as stars: 张* for a name, 138****5678 for a phone."""
    if not text:
        return ""
    keep = keep_start + keep_end
    if len(text) <= keep:
        return text[:1] + "*" * (len(text) - 1 or 1)
    end = text[len(text) - keep_end :] if keep_end else ""
    return text[:keep_start] + "*" * min(len(text) - keep, 4) + end


def mask_phone(phone: str | None) -> str:
    """Return 138****5678."""
    return mask(phone, keep_start=3, keep_end=4)
