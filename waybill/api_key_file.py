"""Changes the file in WAYBILL_API_KEYS, which holds hashes only."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from waybill.api.auth import KeyAct, load_api_keys


def add_api_key(path: Path, entry: Mapping[str, Any]) -> None:
    """Append the entry; the file is replaced as a whole and is for this user only.

    `ApiKeysError` where the file is there and cannot be used.
    """
    _write(path, [*(_read(path) if path.exists() else ()), entry])


def revoke_api_key(path: Path, key_id: str, act: KeyAct) -> bool:
    """Mark the key as revoked; whether there was one to revoke. `ApiKeysError` as above.

    Its entry stays, so that the audit can tell of it.
    """
    kept = _read(path)
    found = [entry for entry in kept if entry["id"] == key_id and not entry.get("revoked")]
    for entry in found:
        entry["revoked"] = act.model_dump(mode="json", exclude_none=True)
        _write(path, kept)
    return bool(found)


def _read(path: Path) -> list[Any]:
    load_api_keys(path)
    kept: list[Any] = json.loads(path.read_bytes())
    return kept


def _write(path: Path, entries: Sequence[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    with open(beside, "w", opener=_private, encoding="utf-8") as file:
        json.dump(list(entries), file, indent=2)
        file.write("\n")
    beside.replace(path)


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
