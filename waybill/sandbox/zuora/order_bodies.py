"""What Zuora takes around the actions of an order: whose it is, billing, payment, preview."""

from waybill.sandbox.rules import (
    Rule,
    Shape,
    amount,
    anything,
    choice,
    day,
    flag,
    several,
    text,
    whole,
)
from waybill.sandbox.zuora.action_bodies import order_action
from waybill.sandbox.zuora.members import custom_fields, hyphenated_id, number_of_ours
from waybill.sandbox.zuora.people_bodies import new_account

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

_subscriptions = several(
    Shape(
        optional={
            "subscriptionNumber": text(100),
            "customFields": custom_fields,
            "notes": text(1000),
            "orderActions": several(order_action),
        }
    )
)
_common: dict[str, Rule] = {
    "orderNumber": number_of_ours,
    "existingAccountNumber": text(70),
    "existingAccountId": text(64),
    "subscriptions": _subscriptions,
    "orderLineItems": anything,
    "reasonCode": text(255),
    "category": choice("NewSales", "Return"),
    "customFields": custom_fields,
}
order_body = Shape(
    required={"orderDate": day},
    optional={
        **_common,
        "newAccount": new_account,
        "processingOptions": _processing_options,
        "schedulingOptions": anything,
        "status": choice("Draft", "Pending", "Completed", "Scheduled"),
    },
)
_preview_types = (
    "ChargeMetrics",
    "BillingDocs",
    "OrderDeltaMetrics",
    "OrderMetrics",
    "RampMetrics",
    "RampDeltaMetrics",
)
preview_body = Shape(
    required={
        "orderDate": day,
        "previewOptions": Shape(
            optional={
                "previewThruType": choice("SpecificDate", "TermEnd", "NumberOfPeriods"),
                "previewNumberOfPeriods": whole,
                "specificPreviewThruDate": day,
                "previewTypes": several(choice(*_preview_types)),
                "skipTax": flag,
                "chargeTypeToExclude": several(choice("OneTime", "Recurring", "Usage")),
            }
        ),
    },
    optional={
        **_common,
        "previewAccountInfo": Shape(
            optional={
                "billCycleDay": whole,
                "currency": text(3),
                "customFields": custom_fields,
                "soldToContact": anything,
                "shipToContact": anything,
                "taxInfo": anything,
            }
        ),
    },
)
trigger_dates_body = Shape(
    optional={
        "subscriptions": several(
            Shape(
                required={"subscriptionNumber": text(100)},
                optional={
                    "orderActions": several(
                        Shape(
                            required={"sequence": whole},
                            optional={
                                "charges": anything,
                                "triggerDates": several(
                                    Shape(
                                        optional={
                                            "name": choice(
                                                "ServiceActivation", "CustomerAcceptance"
                                            ),
                                            "triggerDate": day,
                                        }
                                    )
                                ),
                            },
                        )
                    )
                },
            )
        )
    }
)
custom_fields_body = Shape(optional={"customFields": custom_fields, "ratePlans": anything})
payment_profile_body = Shape(
    required={
        "bulkPaymentOptionItems": several(
            Shape(
                required={"subscriptionId": hyphenated_id},
                optional={"paymentMethodId": hyphenated_id, "paymentGatewayId": hyphenated_id},
            )
        )
    }
)
