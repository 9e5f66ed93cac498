"""What a command would do to orders, for people and programs: the API is asked, nothing is sent."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from waybill.cli.api_client import Api
from waybill.cli.output import ReportedError, console, emit, plain


def foretell(
    api: Api, order_ids: Iterable[str], body: Mapping[str, Any], *, json_output: bool
) -> bool:
    """Shows what would happen to each order; whether all of them would take the command."""
    answers = [_preview(api, one, body) for one in order_ids]
    if json_output:
        emit({"items": answers})
    else:
        shown = console()
        for answer in answers:
            shown.print(Text.assemble((plain(answer["order"]), "bold"), f"  {answer['command']}"))
            _tell(shown, answer)
        shown.print(Text("Nothing has been done.", "dim"))
    return all(answer.get("refused") is None and "detail" not in answer for answer in answers)


def tell_some(shown: Console, some: Iterable[Mapping[str, Any]]) -> None:
    """What would happen to the first orders of many; those alike are told of once."""
    told = [one for one in some if one["consequences"] is not None]
    alike = Counter((one["refused"], tuple(one["consequences"])) for one in told)
    for (refused, sentences), orders in alike.items():
        shown.print(Text(f"\nTo {orders} of the first {len(told)}:", "bold"))
        _tell(shown, {"refused": refused, "consequences": sentences})


def _preview(api: Api, order_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The preview; a problem document where the command would not even be sent."""
    given = {name: value for name, value in body.items() if value is not None}
    try:
        return api.post(f"/orders/{order_id}/commands/preview", given)
    except ReportedError as error:
        if error.exit_code != 1:
            raise
        return {"order": order_id, "command": body["command"], **error.problem}


def _tell(shown: Console, answer: Mapping[str, Any]) -> None:
    if "detail" in answer:
        shown.print(Text(f"  It would not be sent: {plain(answer['detail'])}", "red"))
    elif answer["refused"] is not None:
        shown.print(Text(f"  It would be refused: {plain(answer['refused'])}.", "red"))
    elif not answer["consequences"]:
        shown.print("  Nothing else follows from it.")
    else:
        for number, sentence in enumerate(answer["consequences"], 1):
            shown.print(Text(f"  {number}. {plain(sentence)}"))
