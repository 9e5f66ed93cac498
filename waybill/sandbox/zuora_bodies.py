"""What Zuora takes in a body: the fields the journeys use, closed against all others."""

from string import hexdigits

from waybill.sandbox.rules import (
    Found,
    Kind,
    Rule,
    Shape,
    Violation,
    amount,
    anything,
    choice,
    day,
    flag,
    matching,
    several,
    text,
    whole,
)

CUSTOM = ("__c", "__NS", "__QT")
ID_LENGTH = 32

custom_fields = Shape(extra=CUSTOM)
object_id = matching(
    lambda value: len(value) == ID_LENGTH and all(c in hexdigits for c in value),
    "an id of 32 hexadecimal digits",
)
LONGEST_NUMBER = 100
LONGEST_ACCOUNT_NUMBER = 50
LONGEST_EMAIL = 80
number_of_ours = matching(
    lambda value: 0 < len(value) <= LONGEST_NUMBER and "/" not in value,
    "a number of at most 100 characters without a slash",
)
# 'A' is the documented prefix of the numbers that Zuora itself hands out.
account_number = matching(
    lambda value: 0 < len(value) <= LONGEST_ACCOUNT_NUMBER and not value.startswith("A"),
    "at most 50 characters that do not begin with the tenant's own prefix 'A'",
)
email = matching(
    lambda value: len(value) <= LONGEST_EMAIL and 0 < value.find("@") < len(value) - 1,
    "an e-mail address of at most 80 characters",
)


def _contact(postcode: str) -> Shape:
    """The same person has a `postalCode` in an order and a `zipCode` in an account."""
    return Shape(
        required={"firstName": text(100), "lastName": text(100)},
        optional={
            "address1": text(255),
            "address2": text(255),
            "city": text(100),
            "state": text(100),
            postcode: text(20),
            "country": text(64),
            "county": text(100),
            "nickname": text(100),
            "personalEmail": email,
            "workEmail": email,
            "homePhone": text(40),
            "mobilePhone": text(40),
            "workPhone": text(40),
            "otherPhone": text(40),
            "otherPhoneType": choice("Work", "Mobile", "Home", "Other"),
            "fax": text(40),
            "taxRegion": text(100),
        },
        extra=CUSTOM,
    )


_order_contact = _contact("postalCode")
_account_contact = _contact("zipCode")

_account_common: dict[str, Rule] = {
    "accountNumber": account_number,
    "autoPay": flag,
    "batch": text(),
    "crmId": text(100),
    "notes": text(65535),
    "paymentTerm": text(),
    "paymentGateway": text(40),
    "hpmCreditCardPaymentMethodId": text(64),
    "paymentMethod": Shape(required={"type": text(40)}, optional={"tokenId": text()}, extra=("",)),
    "creditCard": Shape(extra=("",)),
    "invoiceDeliveryPrefsEmail": flag,
    "invoiceDeliveryPrefsPrint": flag,
    "invoiceTemplateId": text(64),
    "communicationProfileId": text(64),
    "parentId": text(64),
    "purchaseOrderNumber": text(100),
    "salesRep": text(50),
    "soldToSameAsBillTo": flag,
    "shipToSameAsBillTo": flag,
    "taxInfo": Shape(extra=("",)),
}

new_account = Shape(
    required={
        "name": text(255),
        "currency": text(3),
        "billCycleDay": whole,
        "billToContact": _order_contact,
    },
    optional={
        **_account_common,
        "soldToContact": _order_contact,
        "shipToContact": _order_contact,
        "additionalEmailAddresses": text(1200),
        "customFields": custom_fields,
    },
    extra=CUSTOM,
)

account_body = Shape(
    required={"name": text(255), "currency": text(3), "billToContact": _account_contact},
    optional={
        **_account_common,
        "billCycleDay": whole,
        "soldToContact": _account_contact,
        "shipToContact": _account_contact,
        "additionalEmailAddresses": several(email),
        "collect": flag,
        "runBilling": flag,
        "targetDate": day,
    },
    extra=CUSTOM,
)

LONGEST_TERM = 1000


def _period(value: object, at: str, found: Found) -> None:
    """How many periods a term has."""
    if type(value) is not int or not 0 < value <= LONGEST_TERM:
        message = f"'{at}' must be a whole number from 1 to {LONGEST_TERM}"
        found.append(Violation(Kind.VALUE, at, message))


_period_type = choice("Month", "Year", "Day", "Week")
_initial_term = Shape(
    required={"termType": choice("TERMED", "EVERGREEN")},
    optional={"period": _period, "periodType": _period_type, "startDate": day},
)
_terms = Shape(
    required={"initialTerm": _initial_term},
    optional={
        "autoRenew": flag,
        "renewalSetting": choice("RENEW_WITH_SPECIFIC_TERM", "RENEW_TO_EVERGREEN"),
        "renewalTerms": several(Shape(optional={"period": _period, "periodType": _period_type})),
    },
)

_price: dict[str, Rule] = {"listPrice": amount, "originalListPrice": amount}
_recurring: dict[str, Rule] = {**_price, "listPriceBase": text(40), "priceChangeOption": text(40)}
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
        "paymentProfile": Shape(
            optional={"paymentMethodId": text(64), "paymentGatewayId": text(64)}
        ),
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

# Each type of action brings a member of its own, named after it.
_whatever = Shape(extra=("",))
ACTION_MEMBERS: dict[str, tuple[str, Rule]] = {
    "CreateSubscription": ("createSubscription", _create_subscription),
    "CancelSubscription": ("cancelSubscription", _cancel_subscription),
    "TermsAndConditions": ("termsAndConditions", _whatever),
    "AddProduct": ("addProduct", rate_plan),
    "RemoveProduct": ("removeProduct", _whatever),
    "UpdateProduct": ("updateProduct", _whatever),
    "ChangePlan": ("changePlan", _whatever),
    "RenewSubscription": ("renewSubscription", _whatever),
    "OwnerTransfer": ("ownerTransfer", _whatever),
    "Suspend": ("suspend", _whatever),
    "Resume": ("resume", _whatever),
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


def _action(value: object, at: str, found: Found) -> None:
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


_billing_options: dict[str, Rule] = {
    "targetDate": day,
    "documentDate": day,
    "generateDraftInvoice": flag,
    "creditMemoReasonCode": text(),
    "chargeTypeToExclude": several(text(40)),
}
_electronic_payment: dict[str, Rule] = {
    "paymentMethodId": text(64),
    "paymentGatewayId": text(64),
    "authTransactionId": text(50),
    "gatewayOrderId": text(50),
    "gatewayOptions": anything,
    "mitTransactionSource": choice("C_Unscheduled", "M_Recurring", "M_Unscheduled"),
}
_processing_options = Shape(
    optional={
        "runBilling": flag,
        "collectPayment": flag,
        "billingOptions": Shape(optional=_billing_options),
        "electronicPaymentOptions": Shape(optional=_electronic_payment),
        "applyCredit": flag,
        "applicationOrder": several(choice("CreditMemo", "UnappliedPayment")),
        "applyCreditBalance": flag,
        "refund": flag,
        "refundAmount": amount,
        "refundReasonCode": text(),
        "writeOff": flag,
        "writeOffBehavior": anything,
    }
)

order_body = Shape(
    required={"orderDate": day},
    optional={
        "orderNumber": number_of_ours,
        "existingAccountNumber": text(70),
        "existingAccountId": text(64),
        "newAccount": new_account,
        "subscriptions": several(
            Shape(
                optional={
                    "subscriptionNumber": text(100),
                    "customFields": custom_fields,
                    "notes": text(1000),
                    "orderActions": several(_action),
                }
            )
        ),
        "orderLineItems": anything,
        "processingOptions": _processing_options,
        "schedulingOptions": anything,
        "status": choice("Draft", "Pending", "Completed", "Scheduled"),
        "reasonCode": text(255),
        "category": choice("NewSales", "Return"),
        "customFields": custom_fields,
    },
)
