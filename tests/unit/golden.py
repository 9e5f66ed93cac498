"""What the golden bytes mean, by the id of the schema that wrote them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from schemas.commands import CommandKind, Revision
from schemas.envelope import Envelope
from schemas.events import (
    CommandReceived,
    CommandRejected,
    CompensationFailed,
    CompensationSucceeded,
    Event,
    Fact,
    MainPhaseCompleted,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderPaused,
    OrderQueued,
    OrderReleased,
    OrderReopened,
    OrderResumed,
    RetryDue,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResolved,
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
    Retry,
    Sealed,
    WaybillStep,
)

FOLDER = Path(__file__).parents[1] / "golden"
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
OUTPUT = {"account": "A-1", "amounts": [25, 25.5, None, True], "nested": {"\u00fc": "\u00df"}}
BARE = WaybillStep(id="crm", plugin="salesforceV3", service="crm")
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
    waybill=(BARE, FULL),
    document='{"orderItems": [{"name": "Journal \u20ac"}]}',
    sealed=(SEALED,),
    fingerprint=bytes(range(32)),
)
FIRST: dict[str, Fact] = {
    "order-accepted": ACCEPTED,
    "order-accepted-bare": replace(
        ACCEPTED, external_id=None, axes={}, waybill=(), sealed=(), document="{}"
    ),
    "step-started": StepStarted(expected=3, step="zuora-2", attempt=3, worker="w-1"),
    "step-succeeded": StepSucceeded(
        step="zuora-2",
        attempt=3,
        output=OUTPUT,
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
RETRIED = replace(
    FULL,
    retry=Retry(attempts=10, first_s=0.5, longest_s=300.0, age_s=86_400.0),
    compensate=True,
    reads=("payment", "orderItems"),
)
REVISION = Revision(
    config_version=18,
    axes={"order_type": "new"},
    waybill=(RETRIED, BARE),
    base=bytes(range(32)),
    document='{"orderItems": []}',
    sealed=(SEALED,),
    fingerprint=bytes(range(32, 64)),
    changed=("orderItems", "payment"),
)
SECOND: dict[str, Fact] = {
    **FIRST,
    "order-accepted": replace(ACCEPTED, waybill=(BARE, RETRIED)),
    "step-failed-unknown": StepFailed(
        step="zuora-2", attempt=3, failure=FAILURE, next_attempt_at=AT, unknown=True
    ),
    "command-received": CommandReceived(
        command="command-7",
        kind=CommandKind.RESOLVE,
        reason="The account was there: A-1 \u20ac",
        step="zuora-2",
        output=OUTPUT,
        sealed=(SEALED,),
    ),
    "command-received-bare": CommandReceived(
        command="command-8", kind=CommandKind.FORCE_COMPLETE, reason=""
    ),
    "command-received-amend": CommandReceived(
        command="command-9", kind=CommandKind.AMEND, reason="another size", revision=REVISION
    ),
    "command-received-retry": CommandReceived(
        command="command-10",
        kind=CommandKind.RETRY,
        reason="with the current configuration",
        revision=replace(REVISION, document=None, sealed=(), fingerprint=None, changed=()),
    ),
    "command-rejected": CommandRejected(
        expected=6, command="command-7", code="not_in_doubt", reason="step zuora-2 has succeeded"
    ),
    "step-deferred": StepDeferred(
        step="zuora-2", attempt=3, reason="breaker", stage="zuora@partner.example:8443", until=AT
    ),
    "step-deferred-by-command": StepDeferred(step="zuora-2", attempt=3, reason="command"),
    "compensation-succeeded": CompensationSucceeded(
        step="zuora-2", attempt=2, callouts=(CALLOUT, UNANSWERED)
    ),
    "compensation-failed": CompensationFailed(
        step="zuora-2", attempt=2, failure=FAILURE, next_attempt_at=AT, callouts=(UNANSWERED,)
    ),
    "compensation-failed-unknown": CompensationFailed(
        step="zuora-2", attempt=2, failure=FAILURE, next_attempt_at=AT, unknown=True
    ),
    "compensation-failed-for-good": CompensationFailed(step="zuora-2", attempt=3, failure=FAILURE),
    "retry-due": RetryDue(expected=6, step="zuora-2"),
    "retry-due-by-command": RetryDue(expected=6, command="command-7", step="zuora-2"),
    "step-resolved": StepResolved(expected=6, command="command-7", step="zuora-2"),
    "order-queued": OrderQueued(expected=1, behind="order-0"),
    "order-queued-passed": OrderQueued(
        expected=9, command="command-7", behind="order-2", passed_by=2**40
    ),
    "order-released": OrderReleased(expected=7),
    "order-released-by-command": OrderReleased(expected=7, command="command-7"),
    "order-paused": OrderPaused(expected=6, command="command-7"),
    "order-resumed": OrderResumed(expected=7, command="command-8"),
    "order-amended": OrderAmended(expected=8, command="command-9", from_step="zuora-2"),
    "order-amended-nothing-again": OrderAmended(expected=8, command="command-9"),
    "order-reopened": OrderReopened(expected=6, command="command-10", step="zuora-2"),
    "order-cancelled": OrderCancelled(expected=6, command="command-11", standing=("crm",)),
    "order-cancelled-clean": OrderCancelled(expected=6, command="command-11"),
    "main-phase-completed-by-command": MainPhaseCompleted(expected=4, command="command-8"),
}
BY_SCHEMA: dict[int, dict[str, Fact]] = {1: FIRST, 3: SECOND}


def golden(schema: int, name: str) -> bytes:
    return bytes.fromhex((FOLDER / f"{schema}-{name}.hex").read_text())


def meant(schema: int, name: str) -> Event:
    return Event(ENVELOPE, BY_SCHEMA[schema][name])
