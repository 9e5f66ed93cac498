"""Submits an order and asks for it by a client that openapi-python-client made.

Run as: `python generated_client.py URL API_KEY ORDER_FILE`
"""

import json
import sys
from pathlib import Path
from typing import Any

from waybill_client.api.commands import command_order
from waybill_client.api.orders import list_orders, read_order, submit_order
from waybill_client.client import AuthenticatedClient
from waybill_client.models import CommandBody, CommandKind, Order


def follow(url: str, key: str, document: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The answer to the submission, the order as it was found, and a command to it."""
    client = AuthenticatedClient(base_url=url, token=key, raise_on_unexpected_status=True)
    order = Order.from_dict(document)
    taken = submit_order.sync(client=client, body=order, prefer="wait=20")
    page = list_orders.sync(
        client=client, external_id=document["external_id"], min_offset=taken.token
    )
    found = read_order.sync(page.items[0].id, client=client)
    retry = CommandBody(command=CommandKind.RETRY, reason="Zuora is back")
    sent = command_order.sync(found.id, client=client, body=retry, prefer="wait=20")
    return taken, found, sent


if __name__ == "__main__":
    for one in follow(sys.argv[1], sys.argv[2], json.loads(Path(sys.argv[3]).read_bytes())):
        print(one.to_dict())
