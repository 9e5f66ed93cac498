"""Says beforehand what a command would be refused for, as the worker that takes it would."""

from collections.abc import Callable

from projections.order_book import OrderBook
from projections.vault import Vault
from schemas.events import CommandReceived
from streams.core.commanding import Asked, Commanding, PreparedCommand
from streams.core.foretelling import foretold
from streams.core.order import Order
from streams.core.sequence import Sequencer


class CommandChecks:
    """Blocking, from any thread. Between the check and the worker the order may have moved on.

    `pinned` resolves orders under an older version of a tenant's configuration.
    """

    def __init__(
        self,
        commanding: Commanding,
        pinned: Callable[[str, int], Sequencer | None],
        book: OrderBook,
        vault: Vault,
    ) -> None:
        self._commanding = commanding
        self._pinned = pinned
        self._book = book
        self._vault = vault

    def check(self, asked: Asked, order_id: str) -> None:
        """`RefusedError` says why the command would come to nothing."""
        order = self._book.folded(asked.tenant, order_id) if asked.needs_order else None
        if order is not None:
            self._prepared(asked, order)

    def foretold(self, asked: Asked, order: Order) -> CommandReceived:
        """The command as the order's worker would find it in the log, to be folded only.

        `RefusedError` says why it would come to nothing.
        """
        return foretold(asked, self._prepared(asked, order) if asked.needs_order else None)

    def _prepared(self, asked: Asked, order: Order) -> PreparedCommand:
        subjects = [part.subject for part in order.accepted.sealed] if asked.revises else []
        keys = self._vault.existing(asked.tenant, subjects)
        version = self._commanding.other_version(asked, order)
        pinned = None if version is None else self._pinned(asked.tenant, version)
        return self._commanding.prepare(asked, order, keys, pinned)
