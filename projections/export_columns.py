"""The columns of an export of orders, for who writes them and who reads them."""

from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["text", "number", "moment"]


class Exported(NamedTuple):
    """One column of an export: where it comes from, and what it says."""

    name: str
    column: str
    kind: Kind
    description: str


EXPORTED: tuple[Exported, ...] = (
    Exported("id", "id", "text", "The order's id"),
    Exported("order_reference", "order_reference", "text", "Its reference, for people"),
    Exported("external_id", "external_id", "text", "What the shop calls it; may be empty"),
    Exported("subscription", "subscription_reference", "text", "The subscription's reference"),
    Exported("owner", "owner", "text", "Who ordered"),
    Exported("order_type", "order_type", "text", "`new`, `renew`, ..."),
    Exported("mode", "mode", "text", "`production` or `test`"),
    Exported("status", "status", "text", "Where it stands"),
    Exported("stage", "stage", "text", "The plugin that it stands at; empty at a good end"),
    Exported("error_code", "error_code", "text", "The code of what stopped or delays it"),
    Exported("error_step", "error_step", "text", "The step that did; needs the scope `operate`"),
    Exported("error_plugin", "error_plugin", "text", "Its plugin; needs the scope `operate`"),
    Exported("run", "run", "number", "Which run this is: 1 unless it was reopened"),
    Exported("config_version", "config_version", "number", "The configuration it runs under"),
    Exported("lane", "lane", "text", "Orders of one lane wait for each other"),
    Exported("created", "created", "moment", "When it was accepted, UTC"),
    Exported("updated", "updated", "moment", "When something happened to it last, UTC"),
)
"""In the order of the columns. Texts of more than 400 characters are cut, and end in a digest."""
