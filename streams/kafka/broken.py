"""Lets aiokafka understand uvloop's way to say that a connection is broken.

uvloop raises RuntimeError where a closed connection is written to; aiokafka takes only OSError for
a broken connection. Its heartbeat, coordinator and sender die of the other, and do not tell.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError

_send = AIOKafkaConnection.send
_send_sasl_token = AIOKafkaConnection._send_sasl_token  # noqa: SLF001 (pinned, and there is no other way)


def _sent(self: Any, *args: Any, **more: Any) -> Any:
    return _understood(_send, self, *args, **more)


def _sent_sasl_token(self: Any, *args: Any, **more: Any) -> Any:
    return _understood(_send_sasl_token, self, *args, **more)


def _understood(send: Any, connection: Any, *args: Any, **more: Any) -> Any:
    try:
        return send(connection, *args, **more)
    except RuntimeError as problem:
        connection.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"the connection is closed: {problem}") from problem


AIOKafkaConnection.send = _sent
AIOKafkaConnection._send_sasl_token = _sent_sasl_token  # noqa: SLF001 (as above)
