"""Writes every page into docs/reference, or into the directory that is named."""

import sys
from pathlib import Path

from waybill.reference.pages import PAGES

DIRECTORY = Path(__file__).parents[2] / "docs" / "reference"


def main(directory: Path = DIRECTORY) -> None:
    """Write them; pages that are current stay untouched."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        path, text = directory / name, page()
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
