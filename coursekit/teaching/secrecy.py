"""The teacher's secret: what it decides, nobody else can tell beforehand."""

import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path


def make_secret(path: Path) -> None:
    """Write a new secret where only its owner reads it; a ``ValueError`` refuses to overwrite."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ValueError(f"{path}: файл уже есть. Новый секрет — в новый файл.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secrets.token_urlsafe(32) + "\n")


def read_secret(path: Path) -> bytes:
    """Return the teacher's secret; a ``ValueError`` tells how to make one.

    >>> read_secret(Path("no such file"))
    Traceback (most recent call last):
    ValueError: no such file: нет такого файла. Завести секрет: coursekit secret no such file
    """
    if not path.is_file():
        raise ValueError(f"{path}: нет такого файла. Завести секрет: coursekit secret {path}")
    secret = path.read_bytes().strip()
    if len(secret) < 16:
        raise ValueError(f"{path}: секрет короче 16 знаков, его можно подобрать.")
    return secret


def keyed(secret: bytes, *parts: str) -> bytes:
    """Return 32 bytes that only who knows the secret can tell for these parts."""
    return hmac.new(secret, json.dumps(parts).encode(), hashlib.sha256).digest()


def seed(secret: bytes, *parts: str) -> int:
    """Return a seed for ``coursekit.checks`` from a secret.

    >>> seed(b"secret", "lstm", "gates") == seed(b"secret", "lstm", "gates")
    True
    """
    return int.from_bytes(keyed(secret, *parts)[:8]) % 2**63
