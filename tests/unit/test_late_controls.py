import orjson

from streams.agents.stage_controls import StageControls


class Held:
    def __init__(self) -> None:
        self.stages: dict[str, bool] = {}

    def hold(self, tenant: str, stage: str, *, held: bool) -> None:
        self.stages[f"{tenant}/{stage}"] = held


def control(at: int, *, held: bool) -> bytes:
    moment = f"2026-01-01T00:00:{at:02}+00:00"
    return orjson.dumps({"tenant": "default", "stage": "zuora@z", "held": held, "at": moment})


def test_what_was_asked_last_holds_whatever_lands_last() -> None:
    stages = Held()
    controls = StageControls(stages)
    for record in (control(1, held=True), control(2, held=False), control(1, held=True)):
        controls.take(record)
    assert stages.stages == {"default/zuora@z": False}
    assert controls.held == ()


def test_the_same_moment_is_not_late() -> None:
    stages = Held()
    controls = StageControls(stages)
    for record in (control(1, held=True), control(1, held=False)):
        controls.take(record)
    assert stages.stages == {"default/zuora@z": False}
