"""Examples of webhooks, as the tests wrote them down from orders that they told."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "defaults" / "webhook-examples.json"


@cache
def webhook_examples() -> Mapping[str, Mapping[str, Any]]:
    """By type: a body of each payload, `thin` and `full`, without personal sections."""
    found: Mapping[str, Mapping[str, Any]] = json.loads(FILE.read_bytes())
    return found
