"""Every command in every state of an order: what it leads to, or why it comes to nothing."""

import pytest

from schemas.commands import CommandKind
from schemas.events import (
    OrderPaused,
    OrderResumed,
)
from streams.core.decide import Append
from streams.core.order import State
from tests.facts import (
    after,
    command,
    next_of,
    settled,
    then,
)
from tests.unit.core.states import STATES, answer, asked

# What a command leads to: a fact and its step, a code in brackets, or "later" while an attempt is
# open that has to end first.
TABLE = """
                    retry              skip               resolve            pause            resume         cancel           amend                   force_complete        release
running             [under_way]        later              later              later            [not_paused]   later            later                   later                 [not_queued]
sent                [under_way]        later              later              later            [not_paused]   later            later                   later                 [not_queued]
waiting             RetryDue:b         StepResolved:b     StepResolved:b     OrderPaused      [not_paused]   undo:a           undo:a                  MainPhaseCompleted    [not_queued]
deferred            RetryDue:b         StepResolved:b     StepResolved:b     OrderPaused      [not_paused]   undo:a           undo:a                  MainPhaseCompleted    [not_queued]
in_doubt            RetryDue:b         StepResolved:b     StepResolved:b     OrderPaused      [not_paused]   undo:a           [outcome_unknown]       MainPhaseCompleted    [not_queued]
queued              [queued]           [no_such_step]     [no_such_step]     OrderPaused      [not_paused]   OrderCancelled   OrderAmended            [queued]              OrderReleased
paused              [paused]           StepResolved:b     StepResolved:b     [already_paused] OrderResumed   undo:a           undo:a                  [paused]              [not_queued]
post_phase          [under_way]        later              later              later            [not_paused]   [too_late]       later                   later                 [not_queued]
end_waits           RetryDue:o         StepResolved:o     StepResolved:o     OrderPaused      [not_paused]   [too_late]       [point_of_no_return]    OrderCompleted        [not_queued]
failed              OrderReopened:b    OrderReopened:b    OrderReopened:b    [ended]          [not_paused]   undo:a           undo:a                  OrderReopened:b       [not_queued]
completed           [nothing_to_retry] [no_such_step]     [no_such_step]     [ended]          [not_paused]   [ended]          [ended]                 [ended]               [not_queued]
completed_but_o     RetryDue:o         StepResolved:o     StepResolved:o     [ended]          [not_paused]   [ended]          [ended]                 [ended]               [not_queued]
completed_but_o,_p  [no_such_step]     [no_such_step]     [no_such_step]     [ended]          [not_paused]   [ended]          [ended]                 [ended]               [not_queued]
cancelled           [ended]            [ended]            [ended]            [ended]          [not_paused]   [ended]          [ended]                 [ended]               [not_queued]
undoing             later              later              later              later            later          later            later                   later                 later
undoing_again       later              later              later              later            later          later            later                   later                 later
undoing_waits       RetryDue:a         StepResolved:a     StepResolved:a     [compensating]   [compensating] [compensating]   [compensating]          [compensating]        [compensating]
undoing_failed      RetryDue:a         StepResolved:a     StepResolved:a     [compensating]   [compensating] [compensating]   [compensating]          [compensating]        [compensating]
"""  # noqa: E501 (a table)
HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [
    (row[0].replace("_", " "), CommandKind(kind), cell)
    for row in ROWS
    for kind, cell in zip(HEAD, row[1:], strict=True)
]


def test_the_table_has_every_state_and_every_command() -> None:
    assert {row[0].replace("_", " ") for row in ROWS} == set(STATES)
    assert set(HEAD) == set(CommandKind)
    assert {order.state for order in STATES.values()} == set(State)


@pytest.mark.parametrize(("state", "kind", "expected"), CELLS)
def test_a_command_leads_to(state: str, kind: CommandKind, expected: str) -> None:
    assert answer(STATES[state], asked(kind)) == expected


@pytest.mark.parametrize("kind", CommandKind)
@pytest.mark.parametrize("state", STATES)
def test_a_command_repeated_has_no_second_effect(state: str, kind: CommandKind) -> None:
    order = then(STATES[state], asked(kind))
    assert after(order, asked(kind)) is order
    answered = settled(order)
    assert after(answered, asked(kind)) is answered
    assert after(answered, asked(CommandKind.PAUSE)) is answered, "the id counts, not what is asked"


def test_commands_are_answered_in_their_order() -> None:
    order = then(
        STATES["waiting"], command("pause"), command("resume"), command("pause", command="again")
    )
    answers = []
    while isinstance(decision := next_of(order), Append):
        answers.append(decision.fact)
        order = then(order, decision.fact)
    assert answers == [
        OrderPaused(expected=6, command="pause-1"),
        OrderResumed(expected=7, command="resume-1"),
        OrderPaused(expected=8, command="again"),
    ]
