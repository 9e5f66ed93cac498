"""What Zuora takes in the actions of an order: one member per type, each closed."""

from waybill.sandbox.rules import (
    Found,
    Kind,
    Rule,
    Shape,
    Violation,
    amount,
    choice,
    day,
    flag,
    several,
    text,
    whole,
)
from waybill.sandbox.zuora.members import custom_fields, number_of_ours, object_id

LONGEST_TERM = 1000


def _period(value: object, at: str, found: Found) -> None:
    """How many periods a term has."""
    if type(value) is not int or not 0 < value <= LONGEST_TERM:
        message = f"'{at}' must be a whole number from 1 to {LONGEST_TERM}"
        found.append(Violation(Kind.VALUE, at, message))


_period_type = choice("Month", "Year", "Day", "Week")
_initial_term = Shape(
    required={"termType": choice("TERMED", "EVERGREEN")},
    optional={"period": _period, "periodType": _period_type, "startDate": day, "endDate": day},
)
_renewal_setting = choice("RENEW_WITH_SPECIFIC_TERM", "RENEW_TO_EVERGREEN")
_renewal_terms = several(Shape(optional={"period": _period, "periodType": _period_type}))
_payment_profile = Shape(optional={"paymentMethodId": text(64), "paymentGatewayId": text(64)})
_terms = Shape(
    required={"initialTerm": _initial_term},
    optional={
        "autoRenew": flag,
        "renewalSetting": _renewal_setting,
        "renewalTerms": _renewal_terms,
    },
)

_price: dict[str, Rule] = {"listPrice": amount, "originalListPrice": amount}
_change = choice("NoChange", "SpecificPercentageValue", "UseLatestProductCatalogPricing")
_recurring: dict[str, Rule] = {
    **_price,
    "listPriceBase": text(40),
    "priceChangeOption": _change,
    "priceIncreasePercentage": amount,
}
_pricing = Shape(
    optional={
        "recurringFlatFee": Shape(optional=_recurring),
        "recurringPerUnit": Shape(optional={**_recurring, "quantity": amount, "uom": amount}),
        "oneTimeFlatFee": Shape(required={"listPrice": amount}, optional=_price),
        "oneTimePerUnit": Shape(optional={**_price, "quantity": amount, "uom": amount}),
        "discount": Shape(
            optional={
                "discountPercentage": amount,
                "discountAmount": amount,
                "discountLevel": choice("rateplan", "subscription", "account"),
                "applyDiscountTo": text(40),
                "discountClass": text(),
                "priceChangeOption": choice("NoChange", "UseLatestProductCatalogPricing"),
            }
        ),
    }
)
_triggers = choice("ContractEffective", "ServiceActivation", "CustomerAcceptance", "SpecificDate")
_charge_override = Shape(
    required={"productRatePlanChargeId": object_id},
    optional={
        "productRatePlanChargeNumber": text(),
        "pricing": _pricing,
        "billing": Shape(
            optional={
                "billingPeriod": text(40),
                "billCycleType": text(40),
                "billCycleDay": whole,
                "billingPeriodAlignment": text(40),
                "billingTiming": choice("IN_ADVANCE", "IN_ARREARS"),
                "specificBillingPeriod": whole,
            }
        ),
        "startDate": Shape(optional={"triggerEvent": _triggers, "specificTriggerDate": day}),
        "endDate": Shape(
            optional={
                "endDateCondition": choice("Subscription_End", "Fixed_Period", "Specific_End_Date"),
                "upToPeriods": whole,
                "upToPeriodsType": choice("Billing_Periods", "Days", "Weeks", "Months", "Years"),
                "specificEndDate": day,
            }
        ),
        "uniqueToken": text(50),
        "customFields": custom_fields,
    },
)
rate_plan = Shape(
    optional={
        "productRatePlanId": object_id,
        "productRatePlanNumber": text(100),
        "ratePlanName": text(),
        "subscriptionRatePlanNumber": text(50),
        "uniqueToken": text(50),
        "chargeOverrides": several(_charge_override),
        "customFields": custom_fields,
    }
)
_create_subscription = Shape(
    required={"terms": _terms},
    optional={
        "subscriptionNumber": number_of_ours,
        "subscribeToRatePlans": several(rate_plan),
        "billToContactId": text(64),
        "soldToContactId": text(64),
        "currency": text(3),
        "invoiceSeparately": flag,
        "notes": text(500),
        "paymentProfile": _payment_profile,
        "paymentTerm": text(),
        "subscriptionOwnerAccountNumber": text(70),
    },
)
_cancel_subscription = Shape(
    required={
        "cancellationPolicy": choice("EndOfCurrentTerm", "EndOfLastInvoicePeriod", "SpecificDate")
    },
    optional={"cancellationEffectiveDate": day},
)
_clearing: dict[str, Rule] = {
    f"clearingExisting{what}": flag
    for what in (
        "BillToContact",
        "InvoiceGroupNumber",
        "InvoiceTemplate",
        "PaymentTerm",
        "SequenceSet",
        "ShipToContact",
        "SoldToContact",
    )
}
_renewal: dict[str, Rule] = {
    "billToContactId": text(64),
    "soldToContactId": text(64),
    "shipToContactId": text(64),
    "invoiceGroupNumber": text(255),
    "invoiceTemplateId": text(64),
    "paymentTerm": text(),
    "sequenceSetId": text(64),
    **_clearing,
}
_terms_and_conditions = Shape(
    optional={
        **_renewal,
        "autoRenew": flag,
        "invoiceSeparately": flag,
        "lastTerm": Shape(
            required={"termType": choice("TERMED", "EVERGREEN")},
            optional={
                "period": _period,
                "periodType": _period_type,
                "startDate": day,
                "endDate": day,
            },
        ),
        "paymentProfile": _payment_profile,
        "renewalSetting": _renewal_setting,
        "renewalTerms": _renewal_terms,
        "scheduledCancelDate": day,
        "scheduledSuspendDate": day,
        "scheduledResumeDate": day,
        "clearingScheduledCancelDate": flag,
        "clearingScheduledSuspendDate": flag,
        "clearingScheduledResumeDate": flag,
    }
)
_selector: dict[str, Rule] = {
    "ratePlanId": text(64),
    "subscriptionRatePlanNumber": text(50),
    "productRatePlanNumber": text(100),
    "uniqueToken": text(50),
}
_remove_product = Shape(
    optional={
        **_selector,
        "customFields": custom_fields,
        "chargeUpdates": several(
            Shape(
                optional={
                    "chargeNumber": text(),
                    "productRatePlanChargeId": text(64),
                    "productRatePlanNumber": text(100),
                    "uniqueToken": text(50),
                    "customFields": custom_fields,
                }
            )
        ),
    }
)
_charge_update = Shape(
    optional={
        "chargeNumber": text(50),
        "productRatePlanChargeId": text(64),
        "productRatePlanChargeNumber": text(100),
        "uniqueToken": text(50),
        "billing": Shape(optional={"billingPeriodAlignment": text(40)}),
        "effectiveDate": Shape(optional={"triggerEvent": _triggers, "specificTriggerDate": day}),
        "estimatedStartDate": day,
        "pricing": _pricing,
        "customFields": custom_fields,
    }
)
_update_product = Shape(
    optional={
        **_selector,
        "specificUpdateDate": day,
        "chargeUpdates": several(_charge_update),
        "customFields": custom_fields,
    }
)
_change_plan = Shape(
    required={"newProductRatePlan": rate_plan},
    optional={
        **_selector,
        "productRatePlanId": text(64),
        "subType": choice("Upgrade", "Downgrade", "Crossgrade", "PlanChanged"),
        "effectivePolicy": choice(
            "EffectiveImmediately", "EffectiveEndOfBillingPeriod", "SpecificDate"
        ),
        "resetBcd": flag,
    },
)
_owner_transfer = Shape(
    optional={
        "destinationAccountNumber": text(70),
        "destinationInvoiceAccountNumber": text(70),
        "paymentProfile": _payment_profile,
        **_renewal,
    }
)
_suspend = Shape(
    required={
        "suspendPolicy": choice(
            "Today", "EndOfLastInvoicePeriod", "FixedPeriodsFromToday", "SpecificDate"
        )
    },
    optional={
        "suspendSpecificDate": day,
        "suspendPeriods": whole,
        "suspendPeriodsType": _period_type,
    },
)
_resume = Shape(
    required={
        "resumePolicy": choice(
            "Today",
            "FixedPeriodsFromSuspendDate",
            "FixedPeriodsFromToday",
            "SpecificDate",
            "SuspendDate",
        )
    },
    optional={
        "extendsTerm": flag,
        "resumePeriods": whole,
        "resumePeriodsType": _period_type,
        "resumeSpecificDate": day,
    },
)

# Each type of action brings a member of its own, named after it.
ACTION_MEMBERS: dict[str, tuple[str, Rule]] = {
    "CreateSubscription": ("createSubscription", _create_subscription),
    "CancelSubscription": ("cancelSubscription", _cancel_subscription),
    "TermsAndConditions": ("termsAndConditions", _terms_and_conditions),
    "AddProduct": ("addProduct", rate_plan),
    "RemoveProduct": ("removeProduct", _remove_product),
    "UpdateProduct": ("updateProduct", _update_product),
    "ChangePlan": ("changePlan", _change_plan),
    "RenewSubscription": ("renewSubscription", Shape(optional=_renewal)),
    "OwnerTransfer": ("ownerTransfer", _owner_transfer),
    "Suspend": ("suspend", _suspend),
    "Resume": ("resume", _resume),
}
_ACTION_TYPES = tuple(ACTION_MEMBERS)  # unlike the dict, it can be asked for any JSON value
_trigger_date = Shape(
    required={"name": choice("ContractEffective", "ServiceActivation", "CustomerAcceptance")},
    optional={"triggerDate": day},
)
_action_shape = Shape(
    required={"type": choice(*_ACTION_TYPES)},
    optional={
        "triggerDates": several(_trigger_date),
        "changeReason": text(255),
        "customFields": custom_fields,
        **dict(ACTION_MEMBERS.values()),
    },
)


def order_action(value: object, at: str, found: Found) -> None:
    """An action and the one member that goes with its type."""
    _action_shape(value, at, found)
    if not isinstance(value, dict) or value.get("type") not in _ACTION_TYPES:
        return
    wanted, _ = ACTION_MEMBERS[value["type"]]
    if wanted not in value:
        found.append(Violation(Kind.MISSING, at, f"'{at}.{wanted}' goes with {value['type']}"))
    for member, _ in ACTION_MEMBERS.values():
        if member != wanted and member in value:
            message = f"'{at}.{member}' does not go with the type {value['type']}"
            found.append(Violation(Kind.VALUE, at, message))
