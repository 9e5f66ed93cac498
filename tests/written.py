"""Hypothesis strategies for events: every field of every fact, drawn from its type."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from schemas import events, steps
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


_RESULT: dict[str, Any] = {"step": TEXTS, "attempt": INTS}
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
    events.StepSucceeded: {
        **_RESULT,
        "output": st.dictionaries(TEXTS, JSON, max_size=3),
        "sealed": some(SEALED),
        "callouts": some(CALLOUTS),
    },
    events.StepFailed: {
        **_RESULT,
        "failure": FAILURES,
        "next_attempt_at": st.none() | MOMENTS,
        "callouts": some(CALLOUTS),
    },
    events.StepInDoubt: {**_RESULT, "failure": FAILURES, "callouts": some(CALLOUTS)},
    events.StepSkipped: {**_RESULT, "reason": TEXTS},
    events.StepStarted: {**_RESULT, "expected": INTS, "worker": TEXTS},
    events.MainPhaseCompleted: {"expected": INTS},
    events.OrderCompleted: {"expected": INTS, "completion": TEXTS},
    events.OrderFailed: {"expected": INTS, "step": TEXTS, "plugin": TEXTS, "failure": FAILURES},
}
KINDS = tuple(_FIELDS)
EVENTS = st.builds(
    events.Event,
    ENVELOPES,
    st.one_of([st.builds(kind, **fields) for kind, fields in _FIELDS.items()]),
)
