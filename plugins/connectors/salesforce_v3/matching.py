"""What a refusal tells of the buyer's records: whom a duplicate rule matched, whose id is taken."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from plugins.api import Failed, Reply, Step
from plugins.connectors.salesforce_v3.options import SalesforceOptions
from plugins.connectors.salesforce_v3.records import ACCOUNT, CONTACT, Plan, known
from plugins.limio import part, parts, text
from schemas.steps import ErrorKind

_PREFIXES = {ACCOUNT: "001", CONTACT: "003"}
_NO_CHOICE = "its state or country is none of the org's"
_ADDRESS = ("Billing", "state", "country", "State", "Country")


def revised(
    step: Step[SalesforceOptions], plan: Plan, reply: Reply, problem: Failed
) -> Plan | Failed:
    """A plan that the refusal does not hold against; else what is wrong."""
    match problem.code:
        case "DUPLICATES_DETECTED" if step.options.use_duplicate_rules:
            return _matched(plan, reply, problem)
        case "DUPLICATE_VALUE":
            return _without_our_id(step, plan, problem)
        case "FIELD_INTEGRITY_EXCEPTION" if plan.billing and _about_address(problem):
            warning = f"Salesforce did not take the billing address: {_NO_CHOICE}"
            return replace(plan, billing=False, warnings=(*plan.warnings, warning))
        case _:
            return problem


def _matched(plan: Plan, reply: Reply, problem: Failed) -> Plan | Failed:
    """The record that the org's duplicate rules found is the buyer's."""
    reference, refused = next(_refused_parts(reply), ("", []))
    if reference not in _PREFIXES or reference in plan.matched:
        return problem
    best = _best(refused, _PREFIXES[reference])
    if len(best) != 1:
        several = f"match {', '.join(sorted(best))} alike"
        many = several if best else "match no record that we may see"
        remedy = "merge them, or send tracking.accountId and tracking.contactId"
        message = f"the duplicate rules of {reference}s {many}; {remedy}"
        return Failed(ErrorKind.PERMANENT, "several_matches", message)
    [record] = best
    matched = (*plan.matched, reference)
    if reference == ACCOUNT:
        return replace(plan, matched=matched, account=record)
    return replace(plan, matched=matched, contact=record)


def _refused_parts(reply: Reply) -> Iterator[tuple[str, list[Any]]]:
    """Parts that a duplicate rule stopped, with what Salesforce says of them."""
    for sub in parts(reply.body, "compositeResponse"):
        said = sub.get("body")
        found = said if isinstance(said, list) else []
        if any(text(one, "errorCode") == "DUPLICATES_DETECTED" for one in found):
            yield text(sub, "referenceId") or "", found


def _best(refused: list[Any], prefix: str) -> set[str]:
    """Ids of the records of that kind that match with the highest confidence."""
    matches: dict[str, float] = {}
    for one in refused:
        for record in _match_records(one):
            found = text(record, "record", "Id") or ""
            if found.startswith(prefix):
                said = record.get("matchConfidence")
                matches[found] = max(matches.get(found, 0.0), _confidence(said))
    highest = max(matches.values(), default=0.0)
    return {found for found, confidence in matches.items() if confidence == highest}


def _match_records(problem: Any) -> Iterator[Mapping[str, Any]]:
    # Salesforce's own name for it lacked a letter for years.
    result = part(problem, "duplicateResult") or part(problem, "duplicateResut")
    for one in parts(result, "matchResults"):
        yield from parts(one, "matchRecords")


def _confidence(said: Any) -> float:
    return float(said) if isinstance(said, int | float) and not isinstance(said, bool) else 0.0


def _without_our_id(step: Step[SalesforceOptions], plan: Plan, problem: Failed) -> Plan | Failed:
    """Another record has our id: the one that the order names is left without it.

    Where the order names none, two first upserts raced, and a repetition finds what the other
    one made. The value of any other field does not become free by waiting.
    """
    ours = {step.options.account_external_id, step.options.contact_external_id}
    if "__c" in problem.message and not any(field in problem.message for field in ours):
        remedy = "another record has this value of a unique field; merge them"
        message = f"{problem.message}: {remedy}"
        return Failed(ErrorKind.PERMANENT, problem.code, message)
    named = known(step, "accountId") or known(step, "contactId")
    if not (plan.ours and named):
        return problem
    warning = "another record in Salesforce has our id of the buyer: merge it with the order's"
    return replace(plan, ours=False, warnings=(*plan.warnings, warning))


def _about_address(problem: Failed) -> bool:
    return any(word in problem.message for word in _ADDRESS)
