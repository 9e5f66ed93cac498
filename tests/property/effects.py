"""What each fact makes of the model of an order, in words of the rules."""

from datetime import datetime
from typing import Any

from tests.property.model import ASIDE, Model, Step


def opened(model: Model) -> Step:
    assert model.open is not None
    return model.steps[model.open]


def closed(model: Model) -> None:
    model.open, model.undo, model.announced_by, model.repeats = None, False, None, False
    model.settle()


def result(
    model: Model,
    how: str,
    *,
    now: datetime,
    until: datetime | None = None,
    stage: str | None = None,
) -> None:
    """The open attempt has ended."""
    step = opened(model)
    step.attempt += 1
    if how.startswith("deferred"):
        deferred(model, step, stage, now)
    elif model.undo:
        undone(model, step, how, until)
    else:
        done(model, step, how, until)
    closed(model)


def deferred(model: Model, step: Step, stage: str | None, now: datetime) -> None:
    """Nothing was sent, and it counts as no attempt."""
    if model.undo and step.how != "compensating":
        step.tries = 0 if stage else step.tries
        step.how = "compensating" if stage else "succeeded"
        step.due, step.stage = None, stage
        return
    if model.undo:
        step.repeats("compensating", None if stage else now, stage)
    elif stage is None and not model.repeats:
        step.repeats("pending", None)
    else:
        step.repeats("waiting", None if stage else now, stage)


def done(model: Model, step: Step, how: str, until: datetime | None) -> None:
    step.tries += 1
    step.due, step.stage, step.doubt, step.erred = None, None, False, how not in {"ok", "skipped"}
    if how == "failed definitely":
        call = f"{step.id}/pay"
        model.generations[call] = model.generations.get(call, 0) + 1
    if how == "ok":
        step.how = "succeeded"
        model.handed_on.add(step.id)
    elif how == "skipped":
        step.how = "skipped"
    elif how == "doubt":
        step.how, step.doubt = "in_doubt", True
    elif until is not None:
        step.repeats("waiting", until)
        step.doubt = how == "failed unknown"
    else:
        step.how = "failed"
        step.doubt = how == "failed unknown"
        if step.stops:
            model.failing = model.steps.index(step)


def undone(model: Model, step: Step, how: str, until: datetime | None) -> None:
    step.tries = step.tries + 1 if step.how == "compensating" else 1
    step.stage = None
    if how == "ok":
        step.how, step.doubt, step.erred, step.due = "compensated", False, False, None
        model.handed_on.discard(step.id)
        model.generations[f"{step.id}/"] = model.generations.get(f"{step.id}/", 0) + 1
    else:
        step.repeats("compensation_failed" if until is None else "compensating", until)
        step.doubt, step.erred = how == "failed unknown", True


def appended(  # noqa: C901 (a case per fact)
    model: Model, kind: str, *, step: str | None, worker: str, offset: int
) -> None:
    """A decision is read. Answers to commands say so by their place in `answered`."""
    named = next((one for one in model.steps if one.id == step), None)
    match kind:
        case "StepStarted":
            model.announced_by = worker
            if not model.undo:
                opened(model).how = "started"
        case "RetryDue":
            assert named is not None
            half = named.how in {"compensating", "compensation_failed"}
            named.repeats("compensating" if half else "pending", None)
            model.open, model.undo = model.steps.index(named), half
            model.repeats = not named.stops
        case "OrderReleased":
            model.behind = None
        case "OrderPaused" | "OrderResumed":
            model.paused = kind == "OrderPaused"
        case "OrderCompleted" | "OrderFailed" | "OrderCancelled":
            ended(model, kind)
        case "MainPhaseCompleted":
            model.main_done = True
        case "OrderReopened":
            model.run += 1
            model.end, model.place, model.failing = None, (offset, 0), None
    model.settle()


def ended(model: Model, kind: str) -> None:
    model.end = kind.removeprefix("Order").lower()
    if kind == "OrderCompleted":
        return
    for one in model.steps:
        if one.how in {"waiting", "compensating"}:
            one.repeats("failed", None)
    if kind == "OrderCancelled":
        model.behind, model.paused = None, False


def queued(model: Model, behind: str, passed_by: int | None, offset: int) -> None:
    if passed_by is not None:
        model.place = (passed_by, offset)
    model.behind = behind
    model.open, model.undo, model.announced_by = None, False, None
    model.settle()


def answered(  # noqa: C901, PLR0912 (a case per fact)
    model: Model, command: str | None, kind: str
) -> None:
    """What the answered command adds to the decision, before that is read."""
    asked = next((one for one in model.asked if one["command"] == command), None)
    if asked is None:
        return
    model.asked.remove(asked)
    if kind in {"StepResolved", "OrderReopened"} and asked["kind"] in ASIDE:
        settled(model, asked, kind)
    elif kind == "RetryDue":
        step = model.meant(asked["step"])
        assert step is not None
        step.tries = 0  # a person gives it its bounds anew
    elif kind in {"MainPhaseCompleted", "OrderCompleted", "OrderReopened"}:
        for one in model.steps:
            if (one.main or kind == "OrderCompleted") and one.how not in {"succeeded", "skipped"}:
                one.repeats("skipped", None)
                one.doubt = False
    elif kind == "OrderAmended":
        for one in asked["undoes"](model):
            if one.how == "compensated" or (one.how == "skipped" and not one.erred):
                one.how, one.tries = "pending", 0
        model.base = asked["brings"]


def settled(model: Model, asked: dict[str, Any], kind: str) -> None:
    """A person says what became of a step, or lets a failed one be tried again."""
    step = model.meant(asked["step"])
    if kind == "OrderReopened":
        assert model.failing is not None
        step = model.steps[model.failing]
    assert step is not None
    if asked["kind"] == "retry":
        step.how, step.tries = "pending", 0
        return
    half = step.how in {"compensating", "compensation_failed"}
    step.attempt += 1
    step.repeats("compensated" if half else "skipped", None)
    step.doubt = False
    if asked["kind"] == "resolve" and not half:
        step.how = "succeeded"
        model.handed_on.add(step.id)
