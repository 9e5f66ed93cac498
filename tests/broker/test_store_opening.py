"""Processes that start at once on a new store all come up."""

import subprocess
import sys
from pathlib import Path

AT_ONCE = 4
OPEN = "import sys; from projections.store import Store; Store.open(sys.argv[1]).close()"


def test_several_processes_can_open_a_new_store_at_once(tmp_path: Path) -> None:
    for round_number in range(3):
        url = f"sqlite:///{tmp_path}/{round_number}.sqlite"
        opening = [
            subprocess.Popen([sys.executable, "-c", OPEN, url], stderr=subprocess.PIPE)
            for _ in range(AT_ONCE)
        ]
        assert [process.communicate()[1] for process in opening] == [b""] * AT_ONCE
