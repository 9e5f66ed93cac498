"""Hypothesis strategies for events: every field of every fact, drawn from its type."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from schemas import commands, events, steps
from schemas.envelope import Envelope

INTS = st.integers(-(2**31), 2**31 - 1)
MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (the strategy adds the zone)
TEXTS = st.text(max_size=12)
MAYBE_TEXT = st.none() | TEXTS
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
DOUBLES = st.floats(allow_nan=False)
BODIES = st.builds(steps.Body, text=TEXTS, length=INTS, sha256=TEXTS, of=MAYBE_TEXT)
SEALED = st.builds(
    steps.Sealed,
    paths=st.lists(TEXTS, max_size=2).map(tuple),
    key_id=TEXTS,
    subject=TEXTS,
    nonce=st.binary(max_size=12),
    ciphertext=st.binary(max_size=12),
)
CALLOUTS = st.builds(
    steps.Callout,
    call=MAYBE_TEXT,
    attempt=INTS,
    method=TEXTS,
    url=TEXTS,
    status=st.none() | INTS,
    started_at=MOMENTS,
    duration_ms=DOUBLES,
    request=BODIES,
    response=BODIES,
    error=MAYBE_TEXT,
    key=MAYBE_TEXT,
)
FAILURES = st.builds(
    steps.Failure,
    kind=st.sampled_from(steps.ErrorKind),
    code=TEXTS,
    message=TEXTS,
    buyer_message=TEXTS,
    call=MAYBE_TEXT,
    definite=st.booleans(),
)
RETRIES = st.builds(steps.Retry, attempts=INTS, first_s=DOUBLES, longest_s=DOUBLES, age_s=DOUBLES)
STEPS = st.builds(
    steps.WaybillStep,
    id=TEXTS,
    plugin=TEXTS,
    service=TEXTS,
    phase=st.sampled_from(steps.Phase),
    critical=st.booleans(),
    on_unknown=st.sampled_from(steps.OnUnknown),
    options=TEXTS,
    when=MAYBE_TEXT,
    items=st.none() | st.lists(INTS, max_size=3).map(tuple),
    map=MAYBE_TEXT,
    timeout_s=st.none() | DOUBLES,
    retry=st.none() | RETRIES,
    compensate=st.booleans(),
    reads=st.none() | st.lists(TEXTS, max_size=3).map(tuple),
)
ENVELOPES = st.builds(
    Envelope,
    event_id=TEXTS,
    tenant=TEXTS,
    lane=TEXTS,
    order_id=TEXTS,
    run=INTS,
    occurred_at=MOMENTS,
    actor=TEXTS,
    causation=MAYBE_TEXT,
    trace=MAYBE_TEXT,
    origin=MAYBE_TEXT,
)


def some(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


REVISIONS = st.builds(
    commands.Revision,
    config_version=INTS,
    axes=st.dictionaries(TEXTS, TEXTS, max_size=3),
    waybill=some(STEPS),
    base=st.binary(max_size=32),
    document=MAYBE_TEXT,
    sealed=some(SEALED),
    fingerprint=st.none() | st.binary(max_size=32),
    changed=some(TEXTS),
)
OUTPUTS = st.dictionaries(TEXTS, JSON, max_size=3)
_RESULT: dict[str, Any] = {"step": TEXTS, "attempt": INTS}
_CALLED = {**_RESULT, "callouts": some(CALLOUTS)}
_FAILED = {
    **_CALLED,
    "failure": FAILURES,
    "next_attempt_at": st.none() | MOMENTS,
    "unknown": st.booleans(),
}
_DECIDED: dict[str, Any] = {"expected": INTS, "command": MAYBE_TEXT}
_FIELDS: dict[type[Any], dict[str, Any]] = {
    events.OrderAccepted: {
        "order_type": TEXTS,
        "mode": TEXTS,
        "external_id": MAYBE_TEXT,
        "order_reference": TEXTS,
        "subscription_reference": TEXTS,
        "owner": TEXTS,
        "effective_date": TEXTS,
        "config_version": INTS,
        "axes": st.dictionaries(TEXTS, TEXTS, max_size=3),
        "waybill": some(STEPS),
        "document": TEXTS,
        "sealed": some(SEALED),
        "fingerprint": st.binary(max_size=32),
    },
    events.CommandReceived: {
        "command": TEXTS,
        "kind": st.sampled_from(commands.CommandKind),
        "reason": TEXTS,
        "step": MAYBE_TEXT,
        "output": st.none() | OUTPUTS,
        "sealed": some(SEALED),
        "revision": st.none() | REVISIONS,
    },
    events.StepSucceeded: {**_CALLED, "output": OUTPUTS, "sealed": some(SEALED)},
    events.StepFailed: _FAILED,
    events.StepInDoubt: {**_CALLED, "failure": FAILURES},
    events.StepSkipped: {**_RESULT, "reason": TEXTS},
    events.StepDeferred: {
        **_RESULT,
        "reason": TEXTS,
        "stage": MAYBE_TEXT,
        "until": st.none() | MOMENTS,
    },
    events.CompensationSucceeded: _CALLED,
    events.CompensationFailed: _FAILED,
    events.CommandRejected: {**_DECIDED, "code": TEXTS, "reason": TEXTS},
    events.StepStarted: {**_DECIDED, **_RESULT, "worker": TEXTS},
    events.RetryDue: {**_DECIDED, "step": TEXTS},
    events.StepResolved: {**_DECIDED, "step": TEXTS},
    events.OrderQueued: {
        **_DECIDED,
        "behind": TEXTS,
        "passed_by": st.none() | st.integers(-(2**63), 2**63 - 1),
    },
    events.OrderReleased: _DECIDED,
    events.OrderPaused: _DECIDED,
    events.OrderResumed: _DECIDED,
    events.OrderAmended: {**_DECIDED, "from_step": MAYBE_TEXT},
    events.OrderReopened: {**_DECIDED, "step": TEXTS},
    events.OrderCancelled: {**_DECIDED, "standing": some(TEXTS)},
    events.MainPhaseCompleted: _DECIDED,
    events.OrderCompleted: {**_DECIDED, "completion": TEXTS},
    events.OrderFailed: {**_DECIDED, "step": TEXTS, "plugin": TEXTS, "failure": FAILURES},
}
KINDS = tuple(_FIELDS)
EVENTS = st.builds(
    events.Event,
    ENVELOPES,
    st.one_of([st.builds(kind, **fields) for kind, fields in _FIELDS.items()]),
)
