"""Adds keys to the file in WAYBILL_API_KEYS, which holds hashes only."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from waybill.api.auth import load_api_keys


def add_api_key(path: Path, entry: Mapping[str, Any]) -> None:
    """Append the entry; the file is replaced as a whole and is for this user only.

    `ApiKeysError` where the file is there and cannot be used.
    """
    kept: list[Any] = []
    if path.exists():
        load_api_keys(path)
        kept = json.loads(path.read_bytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    with open(beside, "w", opener=_private, encoding="utf-8") as file:
        json.dump([*kept, entry], file, indent=2)
        file.write("\n")
    beside.replace(path)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
