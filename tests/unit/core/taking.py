"""An intake with some tenants, and orders given to it."""

from typing import Any

import orjson

from schemas.configuration import Configuration
from schemas.steps import OnUnknown, WaybillStep
from streams.core.intake import Intake, Prepared, Submission
from streams.core.sealing import DataKey, TenantKeys
from streams.core.sequence import PluginFacts, Sequencer

KEYS = TenantKeys.derived_from(b"the tenant's secret")
KEY = DataKey(id="key-1", subject="subject-1", secret=b"s" * 32)
CONNECTIONS = {
    ("customers", "production", "zuora"),
    ("default", "production", "zuora"),
    ("elsewhere", "production", "zuora"),
    ("strict", "production", "zuora"),
    ("tested", "production", "zuora"),
    ("tested", "test", "zuora"),
}


def plugin(name: str, connection: str | None) -> PluginFacts:
    return PluginFacts(name=name, service="s", on_unknown=OnUnknown.REPEAT, connection=connection)


PLUGINS = {"zuora": plugin("zuora", "zuora"), "callout": plugin("callout", None)}


def configured(**members: Any) -> Sequencer:
    plain = {
        "version": 3,
        "order_types": ["gift_redemption"],
        "sequence": [{"name": "zuora"}, {"name": "callout"}],
        "overrides": [
            {"order_type": "refund", "exclude": ["zuora", "callout"]},
            {"order_type": "activation", "exclude": ["zuora"]},
        ],
        **members,
    }
    return Sequencer(Configuration.model_validate(plain), PLUGINS)


def _missing(tenant: str, mode: str, step: WaybillStep) -> str | None:
    name = PLUGINS[step.plugin].connection
    return None if name is None or (tenant, mode, name) in CONNECTIONS else name


BROKEN = {"name": "callout", "items": "to_number(quantity) > `1` && length(quantity) > `0`"}
LARGE = {"name": "callout", "options": {"text": "x" * (256 << 10)}}

INTAKE = Intake(
    sequencers={
        "default": configured(),
        "tested": configured(),
        "broken": configured(sequence=[BROKEN]),
        "large": configured(sequence=[LARGE]),
        "keyless": configured(),
        "elsewhere": configured(axes={"order_type": "kind"}),
        "customers": configured(lane_by="customer"),
        "strict": configured(strictTotals=True, overrides=[]),
    },
    keys=dict.fromkeys(
        (
            *("default", "tested", "broken", "large", "elsewhere"),
            *("customers", "strict", "unconfigured"),
        ),
        KEYS,
    ),
    missing_connection=_missing,
)


def taken(
    value: bytes | None,
    *,
    tenant: str = "default",
    identity: str = "orders/0/0",
    origin: str = "orders/0/0",
    actor: str = "kafka",
    trace: str | None = None,
) -> Prepared:
    """The order in these bytes; `RefusedError` says why it is not taken."""
    return INTAKE.prepare(
        Submission(
            tenant=tenant, value=value, identity=identity, origin=origin, actor=actor, trace=trace
        )
    )


_ENVELOPE = ("tenant", "identity", "origin", "actor", "trace")


def prepared(**members: Any) -> Prepared:
    """The order with these members; those of a submission go there."""
    about = {name: members.pop(name) for name in _ENVELOPE if name in members}
    return taken(orjson.dumps(members), **about)
