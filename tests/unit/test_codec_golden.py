"""The bytes in `tests/golden` mean the same for ever: they are what stands in logs.

Never change a file there. A fact that changes its shape gets a further file, named by the id of
the schema that wrote it.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import pytest

from schemas.codec import decode, encode
from schemas.envelope import Envelope
from schemas.events import (
    Event,
    Fact,
    MainPhaseCompleted,
    OrderAccepted,
    OrderCompleted,
    OrderFailed,
    StepFailed,
    StepInDoubt,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import (
    Body,
    Callout,
    ErrorKind,
    Failure,
    OnUnknown,
    Phase,
    Sealed,
    WaybillStep,
)

GOLDEN = Path(__file__).parents[1] / "golden"
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
ENVELOPE = Envelope(
    event_id="4f8f53a8-5f0c-5f0a-9f65-0c6a4b1a8f10",
    tenant="default",
    lane="default/SUB-1",
    order_id="order-1",
    run=2,
    occurred_at=AT,
    actor="worker/w-1",
    causation="orders/3/14",
    trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    origin="worker/w-1",
)
SEALED = Sealed(
    paths=("/customerDetails", "/payment"),
    key_id="key-1",
    subject="subject-1",
    nonce=bytes(range(12)),
    ciphertext=b"\x00\xffsealed",
)
CALLOUT = Callout(
    call="open-account",
    attempt=3,
    method="POST",
    url="https://partner.example/accounts?x=\u00e4",
    status=201,
    started_at=AT,
    duration_ms=12.25,
    request=Body(of="order", length=5120, sha256="a" * 64),
    response=Body(text='{"id": "A-1"}', length=13, sha256="b" * 64),
    key="9b2e7a50-0000-5000-8000-000000000000",
)
UNANSWERED = replace(
    CALLOUT, call=None, status=None, key=None, error="no answer", request=Body(), response=Body()
)
FAILURE = Failure(
    kind=ErrorKind.RATE_LIMITED,
    code="too_many",
    message="429 from partner.example",
    buyer_message="Please try again later.",
    call="open-account",
    definite=False,
)
FULL = WaybillStep(
    id="zuora-2",
    plugin="zuora",
    service="billing",
    phase=Phase.POST,
    critical=False,
    on_unknown=OnUnknown.LOOK_UP,
    options='{"a": [1, 2]}',
    when="order_type == 'new'",
    items=(0, 2),
    map='{"crm": "context.salesforceV3.id"}',
    timeout_s=7.5,
)
ACCEPTED = OrderAccepted(
    order_type="new",
    mode="test",
    external_id="EXT-1",
    order_reference="REFERENCE234",
    subscription_reference="SUB-1",
    owner="id-41",
    effective_date="2026-01-02",
    config_version=17,
    axes={"order_type": "new", "processing_type": "standard", "offer_type": "trial"},
    waybill=(WaybillStep(id="crm", plugin="salesforceV3", service="crm"), FULL),
    document='{"orderItems": [{"name": "Journal \u20ac"}]}',
    sealed=(SEALED,),
    fingerprint=bytes(range(32)),
)
FACTS: dict[str, Fact] = {
    "order-accepted": ACCEPTED,
    "order-accepted-bare": replace(
        ACCEPTED, external_id=None, axes={}, waybill=(), sealed=(), document="{}"
    ),
    "step-started": StepStarted(expected=3, step="zuora-2", attempt=3, worker="w-1"),
    "step-succeeded": StepSucceeded(
        step="zuora-2",
        attempt=3,
        output={
            "account": "A-1",
            "amounts": [25, 25.5, None, True],
            "nested": {"\u00fc": "\u00df"},
        },
        sealed=(SEALED,),
        callouts=(CALLOUT, UNANSWERED),
    ),
    "step-failed": StepFailed(
        step="zuora-2",
        attempt=3,
        failure=FAILURE,
        next_attempt_at=AT,
        callouts=(UNANSWERED,),
    ),
    "step-failed-for-good": StepFailed(
        step="zuora-2", attempt=3, failure=replace(FAILURE, call=None, definite=True)
    ),
    "step-in-doubt": StepInDoubt(
        step="zuora-2", attempt=3, failure=FAILURE, callouts=(UNANSWERED,)
    ),
    "step-skipped": StepSkipped(step="zuora-2", attempt=3, reason="no items for it"),
    "main-phase-completed": MainPhaseCompleted(expected=4),
    "order-completed": OrderCompleted(expected=5, completion="order complete"),
    "order-failed": OrderFailed(expected=5, step="zuora-2", plugin="zuora", failure=FAILURE),
}


def golden(name: str) -> bytes:
    return bytes.fromhex((GOLDEN / f"1-{name}.hex").read_text())


@pytest.mark.parametrize("name", FACTS)
def test_golden_bytes_mean_what_they_always_meant(name: str) -> None:
    assert decode(golden(name)) == Event(ENVELOPE, FACTS[name])


@pytest.mark.parametrize("name", FACTS)
def test_what_was_read_can_be_written_and_read_again(name: str) -> None:
    assert decode(encode(decode(golden(name)))) == Event(ENVELOPE, FACTS[name])


def test_every_kind_of_fact_has_golden_bytes() -> None:
    assert {type(fact) for fact in FACTS.values()} == set(get_args(Fact))
    assert {path.name for path in GOLDEN.iterdir()} == {f"1-{name}.hex" for name in FACTS}
