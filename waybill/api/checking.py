"""Says beforehand what a command would be refused for, as the worker that takes it would."""

from projections.order_book import OrderBook
from projections.vault import Vault
from streams.core.commanding import Asked, Commanding


class CommandChecks:
    """Blocking, from any thread. Between the check and the worker the order may have moved on."""

    def __init__(self, commanding: Commanding, book: OrderBook, vault: Vault) -> None:
        self._commanding = commanding
        self._book = book
        self._vault = vault

    def check(self, asked: Asked, order_id: str) -> None:
        """`RefusedError` says why the command would come to nothing."""
        if not asked.needs_order:
            return
        order = self._book.folded(asked.tenant, order_id)
        if order is None:
            return
        subjects = [part.subject for part in order.accepted.sealed] if asked.revises else []
        self._commanding.prepare(asked, order, self._vault.existing(asked.tenant, subjects))
