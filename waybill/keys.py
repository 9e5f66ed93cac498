"""The tenants' keys: read from the file in WAYBILL_KEYS, made on the first start on request."""

import base64
import binascii
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from streams.core.sealing import KEY_BYTES, TenantKeys
from waybill.clock import random_bytes

DEFAULT_TENANT = "default"


class KeysError(Exception):
    """The file of keys cannot be used; says why and what to do, and never a key."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"WAYBILL_KEYS: {message} [{code}]")
        self.code = code


class _Key(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    id: str
    key: str


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    tenants: dict[str, _Key]


def load_keys(path: Path, *, create: bool) -> Mapping[str, TenantKeys]:
    """The keys by tenant. With `create`, a missing file is made with a default tenant's key.

    `KeysError` where the file is missing, open to others, or not of the form
    `{"tenants": {tenant: {"id": ..., "key": base64 of 32 bytes}}}`.
    """
    if create and not path.exists():
        _create(path)
    try:
        text = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as problem:
        raise KeysError(
            "keys_unreadable", f"{path} cannot be read ({problem.strerror}). Name the file of keys."
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeysError("keys_exposed", f"{path} is open to other users. Run chmod 600 {path}.")
    return {
        tenant: TenantKeys.derived_from(_secret(path, tenant, key.key))
        for tenant, key in _parsed(path, text).tenants.items()
    }


def _parsed(path: Path, text: bytes) -> _File:
    try:
        return _File.model_validate_json(text)
    except ValidationError as problem:
        first = problem.errors(include_input=False)[0]
        at = ".".join(str(part) for part in first["loc"]) or "the document"
        raise KeysError(
            "keys_malformed", f"{path}: {at}: {first['msg']}. Restore the file from its copy."
        ) from None


def _secret(path: Path, tenant: str, text: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise KeysError(
            "keys_malformed",
            f"{path}: tenants.{tenant}.key is not the base64 of {KEY_BYTES} bytes. "
            "Restore the file from its copy.",
        )
    return secret


def _create(path: Path) -> None:
    """Complete or not at all, and never over another's: two processes may start at once."""
    key = {
        "id": random_bytes(8).hex(),
        "key": base64.b64encode(random_bytes(KEY_BYTES)).decode(),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{random_bytes(8).hex()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps({"tenants": {DEFAULT_TENANT: key}}, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        # The file's name must survive a power cut as well: without it nothing opens again.
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        draft.unlink(missing_ok=True)
