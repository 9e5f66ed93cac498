"""The file of tenants' keys: made once, readable by its owner only, refused in words."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from waybill.keys import KeysError, load_keys


def write(path: Path, content: object, mode: int = 0o600) -> Path:
    path.write_text(json.dumps(content))
    path.chmod(mode)
    return path


def test_the_first_start_makes_a_key_and_the_next_finds_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keys.json"
    made = load_keys(path, create=True)
    assert set(made) == {"default"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_keys(path, create=True) == made
    assert load_keys(path, create=False) == made
    assert [file.name for file in path.parent.iterdir()] == ["keys.json"]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ThreadPoolExecutor(8) as pool:
        loaded = list(pool.map(lambda _: load_keys(path, create=True), range(8)))
    assert all(keys == loaded[0] for keys in loaded)


def test_without_leave_to_create_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeysError) as refused:
        load_keys(tmp_path / "keys.json", create=False)
    assert refused.value.code == "keys_unreadable"


def test_a_file_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    load_keys(path, create=True)
    path.chmod(0o640)
    with pytest.raises(KeysError, match="chmod 600") as refused:
        load_keys(path, create=False)
    assert refused.value.code == "keys_exposed"


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"tenants": {"default": "secretsecret"}},
        {"tenants": {"default": {"id": "a", "key": "secretsecret"}}},
        {"tenants": {"default": {"id": "a", "key": base64.b64encode(b"x").decode()}}},
    ],
)
def test_a_malformed_file_is_refused_without_showing_a_key(tmp_path: Path, content: object) -> None:
    path = write(tmp_path / "keys.json", content)
    with pytest.raises(KeysError) as refused:
        load_keys(path, create=True)
    assert refused.value.code == "keys_malformed"
    assert "secretsecret" not in str(refused.value)
    assert "Restore" in str(refused.value)
