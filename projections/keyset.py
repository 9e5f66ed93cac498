"""Cursors of lists that are sorted by creation: where a page ended, in a form to hand out."""

import base64
import re
from typing import NamedTuple, Self

_PLAIN = re.compile(rb"([0-9]{1,18}):([0-9]{1,18})")


class Cursor(NamedTuple):
    """Behind the row with these values, newest first."""

    created: int
    place: int

    def __str__(self) -> str:
        plain = f"{self.created}:{self.place}".encode()
        return base64.urlsafe_b64encode(plain).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Self:
        """The cursor; ValueError where the text is none that was handed out."""
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = _PLAIN.fullmatch(plain)
        if found is None:
            raise ValueError("the cursor is not one that this API gave out")
        return cls(int(found[1]), int(found[2]))


class OwnerCursor(NamedTuple):
    """Behind this owner, in their order."""

    owner: str

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(self.owner.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Self:
        """The cursor; ValueError where the text is none that was handed out."""
        owner = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        if not owner or "\x00" in owner:
            raise ValueError("the cursor is not one that this API gave out")
        return cls(owner)
