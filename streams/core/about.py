"""What an order is about: its subscription and its customer, from which its lane follows."""

import re
from collections.abc import Mapping
from typing import Any

from schemas.arriving import refused
from schemas.configuration import LaneBy
from schemas.orders import Document
from streams.core import ids
from streams.core.sealing import TenantKeys, subject_by_email

MAX_REFERENCE = 255
_MAX_CUSTOMER = 128
"""Lanes are named in commands, whose members have at most 255 characters."""
_CRM_ACCOUNT = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_CRM_ID = 15


def is_reference(text: str) -> bool:
    """Short, and printable: ids are derived from it, parted by a control character."""
    return 0 < len(text) <= MAX_REFERENCE and text.isprintable()


def existing_subscription(document: Document) -> str | None:
    """The subscription that the order is about; None where it opens one."""
    items = document.get("orderItems") or []
    named = [document.get("forSubscription"), *(item.get("forSubscription") for item in items)]
    flat = [one for given in named for one in (given if isinstance(given, list) else [given])]
    found = dict.fromkeys(_subscription(one) for one in flat if one)
    if len(found) > 1:
        raise refused(
            "several_subscriptions",
            f"the order touches {len(found)} existing subscriptions",
            "send one order per subscription",
            "/forSubscription",
        )
    return next(iter(found), None)


def customer(keys: TenantKeys, document: Document) -> str | None:
    """Whom the order is for: the CRM account, the owner, else a hash of the e-mail address."""
    account = _crm_account(document.get("tracking"))
    if account is not None:
        return account
    owner = document.get("owner")
    if isinstance(owner, str) and is_reference(owner) and len(owner) <= _MAX_CUSTOMER:
        return owner
    subject = subject_by_email(keys, document)
    return None if subject is None else owner_of(subject)


def owner_of(subject: str) -> str:
    """The owner of an order that names none."""
    return f"id-{subject}"


def lane(
    lane_by: LaneBy, tenant: str, keys: TenantKeys, document: Document, subscription: str
) -> str:
    """The order's lane. Where lanes are by customer and nobody is named, its subscription's."""
    named = customer(keys, document) if lane_by == "customer" else None
    if named is None:
        return ids.lane_id(tenant, subscription)
    return ids.customer_lane_id(tenant, named)


def _crm_account(tracking: Any) -> str | None:
    """The id of the account's record. Its longer form only adds check digits to the shorter."""
    given = tracking.get("accountId") if isinstance(tracking, Mapping) else None
    if not isinstance(given, str) or not _CRM_ACCOUNT.fullmatch(given):
        return None
    return given[:_CRM_ID]


def _subscription(given: Any) -> str:
    if isinstance(given, dict):
        named = (given.get(member) for member in ("reference", "id", "name", "path"))
        given = next((value for value in named if value), None)
    text = given.strip().rstrip("/").rsplit("/", 1)[-1] if isinstance(given, str) else ""
    if not is_reference(text):
        raise refused(
            "malformed",
            "forSubscription does not name a subscription",
            "send its reference as a string, or an object with reference or id",
            "/forSubscription",
        )
    return text
