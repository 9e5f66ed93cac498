"""The rules about one order as a plain record, written from the words and not from the core."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

END = {"completed", "failed", "cancelled"}
UNDOING = {"compensating", "compensation_failed"}
ASIDE = {"retry", "skip", "resolve"}
MAY_REPEAT = {"waiting", "failed", "in_doubt", "compensating", "compensation_failed"}
Said = tuple[Any, ...]
REST: Said = ("rest",)


@dataclass(slots=True)
class Step:
    """An entry and how far it has come."""

    id: str
    main: bool
    critical: bool
    announced: bool
    empty: bool
    undoable: bool
    how: str = "pending"
    attempt: int = 1
    tries: int = 0
    due: datetime | None = None
    stage: str | None = None
    doubt: bool = False
    erred: bool = False

    @property
    def stops(self) -> bool:
        return self.main and self.critical

    @property
    def is_behind(self) -> bool:
        """Whether an order that stands beyond it may stand there; undoing moves it nowhere."""
        if self.stops:
            return self.how in {"succeeded", "skipped", *UNDOING, "compensated"}
        return self.how not in {"pending", "started"}

    def repeats(self, how: str, due: datetime | None, stage: str | None = None) -> None:
        self.how, self.due, self.stage = how, due, stage


@dataclass(slots=True)
class Model:
    """What the rules say of one order."""

    id: str
    steps: list[Step]
    place: tuple[int, int]
    end: str | None = None
    run: int = 1
    sequence: int = 1
    main_done: bool = False
    failing: int | None = None
    paused: bool = False
    behind: str | None = None
    open: int | None = None
    undo: bool = False
    announced_by: str | None = None
    repeats: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    handed_on: set[str] = field(default_factory=set)
    generations: dict[str, int] = field(default_factory=dict)
    base: bytes = b"f"

    # Where it stands

    @property
    def stands_at(self) -> Step | None:
        """The first step that it is not behind, in the phase that it is in."""
        for step in self.steps:
            if not step.main and not self.main_done:
                return None
            if not step.is_behind:
                return step
        return None

    @property
    def undoing(self) -> Step | None:
        half = [one for one in self.steps if one.how in UNDOING]
        return half[0] if half else None

    def waits(self) -> list[Step]:
        half = self.undoing
        among = self.steps if half is None else [half]
        return [one for one in among if one.how in {"waiting", "compensating"}]

    def to_undo(self) -> Step | None:
        """The newest finished step that the oldest command wants undone."""
        if not self.asked or self.undoing is not None or self.refusal(self.asked[0]):
            return None
        wanted = self.asked[0]["undoes"](self)
        done = [one for one in wanted if one.how == "succeeded" and one.undoable]
        return done[-1] if done else None

    def settle(self) -> None:
        """After every event: which attempt is open now."""
        self.sequence += 1
        if self.open is not None or (self.failing is not None and self.end is None):
            return
        if self.asked:
            undone = self.to_undo()
            if undone is not None:
                self.open, self.undo = self.steps.index(undone), True
        elif self.end is None and not self.paused and self.behind is None:
            next_one = self.stands_at
            if next_one is not None and next_one.how == "pending":
                self.open, self.undo = self.steps.index(next_one), False

    @property
    def state(self) -> str:  # noqa: PLR0911 (a return per rule)
        if self.end:
            return self.end
        if self.paused or self.behind is not None:
            return "paused" if self.paused else "queued"
        active = "post_processing" if self.main_done else "processing"
        if self.open is not None or self.failing is not None:
            return active
        hows = {one.how for one in self.steps}
        if hows & {"compensation_failed", "compensating"}:
            return "in_doubt" if "compensation_failed" in hows else "waiting"
        at = self.stands_at
        if at is not None:
            return {"in_doubt": "in_doubt", "waiting": "waiting"}.get(at.how, active)
        return "waiting" if self.main_done and "waiting" in hows else active

    # What is next

    def next(  # noqa: C901, PLR0911, PLR0912 (a return per rule)
        self, lane: "list[Model]", worker: str, now: datetime, *, admitted: bool
    ) -> Said:
        if self.failing is not None and self.end is None:
            return ("append", "OrderFailed")
        if self.asked:
            answer = self.answer(lane)
            if answer is not None:
                return answer
        if self.open is not None:
            return self.perform(lane, worker)
        if not self.asked and self.end is None:
            if self.paused:
                return REST
            if self.behind is not None:
                return self.queue(lane)
            if self.stands_at is None:
                if not self.main_done:
                    return ("append", "MainPhaseCompleted")
                if not self.waits():
                    return ("append", "OrderCompleted")
        return self.wait(now, admitted=admitted)

    def earlier(self, lane: "list[Model]") -> "list[Model]":
        before = [one for one in lane if one.end is None and one.place < self.place]
        return sorted(before, key=lambda one: one.place)

    def perform(self, lane: "list[Model]", worker: str) -> Said:
        assert self.open is not None
        step = self.steps[self.open]
        if self.end is None and (self.behind is not None or self.earlier(lane)):
            return self.queue(lane)
        if step.empty and not self.undo:
            return ("append", "StepSkipped")
        if step.announced and self.announced_by is None:
            return ("append", "StepStarted")
        recover = self.announced_by not in {None, worker}
        return ("run", step.id, step.attempt, self.undo, recover, step.doubt)

    def queue(self, lane: "list[Model]") -> Said:
        before = self.earlier(lane)
        if before:
            return REST if before[-1].id == self.behind else ("append", "OrderQueued")
        pushed = [one for one in lane if one.place > self.place and one.behind is not None]
        if any(one.asked and one.asked[0]["kind"] == "release" for one in pushed):
            return REST
        return ("append", "OrderReleased")

    def wait(self, now: datetime, *, admitted: bool) -> Said:
        for step in self.waits():
            if admitted if step.stage else (step.due is None or step.due <= now):
                return ("append", "RetryDue", step.id)
        held = (self.paused or self.behind is not None) and not self.asked
        times = [one.due for one in self.waits() if not one.stage and one.due is not None]
        stages = [one.stage for one in self.waits() if one.stage]
        if held or not (times or stages):
            return REST
        return ("rest", min(times, default=None), stages[0] if stages else None)

    # Commands

    def refusal(  # noqa: C901, PLR0911, PLR0912 (a return per rule)
        self, command: dict[str, Any]
    ) -> str | None:
        """Why a cancellation or an amendment comes to nothing."""
        kind = command["kind"]
        if kind == "cancel":
            if self.end in {"completed", "cancelled"}:
                return "ended"
            return "too_late" if self.main_done else None
        if kind != "amend":
            return "nothing is undone for it"
        if self.end in {"completed", "cancelled"}:
            return "ended"
        if self.main_done:
            return "point_of_no_return"
        if command["base"] != self.base:
            return "changed_meanwhile"
        for step in command["undoes"](self):
            if step.how == "succeeded" and not step.undoable:
                return "point_of_no_return"
            if step.doubt and step is not self.undoing:
                return "outcome_unknown"
        return None

    def answer(self, lane: "list[Model]") -> Said | None:
        first = self.asked[0]
        answer = self.answer_to(first, lane)
        if answer is not None or self.open is not None or self.undoing is None:
            return answer
        for later in self.asked[1:]:
            meant = later["step"]
            known = meant in [one.id for one in self.steps]
            if later["kind"] in ASIDE and (not known or meant == self.undoing.id):
                return self.answer_to(later, lane)
            return ("append", "CommandRejected", "compensating")
        return None

    def answer_to(  # noqa: PLR0911 (a return per command)
        self, command: dict[str, Any], lane: "list[Model]"
    ) -> Said | None:
        kind = command["kind"]
        if kind == "release":
            return self.answer_to_release(lane)
        if kind == "resume":
            return ("append", "OrderResumed") if self.paused else rejected("not_paused")
        if kind == "pause":
            if self.end:
                return rejected("ended")
            if self.paused:
                return rejected("already_paused")
            return ("append", "OrderPaused") if self.open is None else None
        if kind in {"cancel", "amend"}:
            return self.answer_to_undoing(command)
        if kind == "force_complete":
            return self.answer_to_force()
        return self.answer_about_a_step(command)

    def answer_to_undoing(self, command: dict[str, Any]) -> Said | None:
        kind = command["kind"]
        if kind == "amend" and self.open is not None and not self.undo:
            return None
        refusal = self.refusal(command)
        if refusal:
            return rejected(refusal)
        if self.open is not None or self.undoing is not None or self.to_undo() is not None:
            return None
        return ("append", "OrderCancelled" if kind == "cancel" else "OrderAmended")

    def answer_to_release(self, lane: "list[Model]") -> Said:
        if self.behind is None:
            return rejected("not_queued")
        before = self.earlier(lane)
        resting = {"waiting", "in_doubt", "paused", "queued"}
        if any(one.open is not None or one.asked or one.state not in resting for one in before):
            return rejected("at_work")
        return ("append", "OrderQueued") if before else ("append", "OrderReleased")

    def held_up(self) -> Said | None:
        if self.end == "cancelled":
            return rejected("ended")
        if self.undoing is None and self.paused:
            return rejected("paused")
        if self.undoing is None and self.behind is not None:
            return rejected("queued")
        return None

    def answer_to_force(self) -> Said | None:
        if self.end in {"completed", "cancelled"}:
            return rejected("ended")
        if self.held_up() is not None or self.open is not None:
            return self.held_up()
        if self.end == "failed":
            return ("append", "OrderReopened")
        return ("append", "OrderCompleted" if self.main_done else "MainPhaseCompleted")

    def answer_about_a_step(  # noqa: C901, PLR0911 (a return per rule)
        self, command: dict[str, Any]
    ) -> Said | None:
        kind, named = command["kind"], command["step"]
        if self.end == "failed" and self.undoing is None:
            assert self.failing is not None
            if self.open is not None:
                return None
            fits = named in {None, self.steps[self.failing].id}
            return ("append", "OrderReopened") if fits else rejected("another_step")
        if kind == "retry" and self.held_up() is not None:
            return self.held_up()
        if self.end == "cancelled":
            return rejected("ended")
        step = self.meant(named)
        if kind == "retry":
            return self.answer_to_retry(step)
        if step is None:
            return rejected("no_such_step")
        if self.open is not None and step is self.steps[self.open]:
            return None
        if step.how in {"succeeded", "skipped", "compensated"}:
            return rejected("already_done")
        return ("append", "StepResolved", step.id)

    def answer_to_retry(self, step: Step | None) -> Said | None:
        if step is None:
            several = any(one.how in MAY_REPEAT for one in self.steps)
            return rejected("no_such_step" if several else "nothing_to_retry")
        if step.how not in MAY_REPEAT:
            opened = None if self.open is None else self.steps[self.open]
            return rejected("under_way" if step is opened else "nothing_to_retry")
        return ("append", "RetryDue", step.id) if self.open is None else None

    def meant(self, named: str | None) -> Step | None:
        if named is not None:
            return next((one for one in self.steps if one.id == named), None)
        if self.undoing is not None:
            return self.undoing
        if self.open is not None:
            return self.steps[self.open]
        at = self.stands_at
        if at is not None and at.how in MAY_REPEAT:
            return at
        could = [one for one in self.steps if one.how in MAY_REPEAT]
        return could[0] if len(could) == 1 else None


def rejected(code: str) -> Said:
    return ("append", "CommandRejected", code)
