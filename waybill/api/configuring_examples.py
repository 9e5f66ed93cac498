"""Examples of versions of a configuration for the OpenAPI document."""

from typing import Any

VERSION: dict[str, Any] = {
    "version": 4,
    "base": 3,
    "author": "key:5f2c9d0e",
    "reason": "Gifts skip Zuora",
    "at": "2026-03-01T10:15:30.123456+00:00",
}
MADE: dict[str, Any] = {
    **VERSION,
    "new": True,
    "findings": [
        {
            "code": "connection_missing",
            "message": "'zuora' needs the connection 'zuora', which the tenant 'default' lacks in"
            " mode test: such orders are refused",
            "remedy": "add 'zuora' under test of the connections, or remove the plugin",
            "severity": "warning",
            "path": "/sequence/1",
            "line": None,
            "column": None,
        }
    ],
}
ROLLBACK: dict[str, Any] = {"version": 3, "reason": "Gifts were billed twice"}
DIFF: dict[str, Any] = {
    "from": 3,
    "to": 4,
    "patch": [{"op": "replace", "path": "/sequence/1/critical", "value": False}],
    "changes": [{"place": "sequence/zuora/critical", "what": "changed", "text": "true -> false"}],
    "text": '--- version 3\n+++ version 4\n@@ -9,3 +9,3 @@\n-      "critical": true\n'
    '+      "critical": false',
}
