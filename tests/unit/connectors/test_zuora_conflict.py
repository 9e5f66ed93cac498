"""A repeated key whose first request is still running says nothing about the order."""

from plugins.api import Reply
from plugins.connectors.zuora.envelope import errors


def test_a_key_that_is_still_at_work_is_no_refusal_whatever_code_comes_with_it() -> None:
    body = {"success": False, "reasons": [{"code": 50000050, "message": "Zuora answers 409."}]}
    assert errors(Reply(409, body)) is None
    assert errors(Reply(400, body)) is not None
