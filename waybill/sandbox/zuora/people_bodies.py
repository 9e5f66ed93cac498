"""What Zuora takes for accounts, contacts and payment methods; all other fields are refused."""

from waybill.sandbox.rules import (
    Found,
    Rule,
    Shape,
    anything,
    choice,
    day,
    flag,
    several,
    text,
    whole,
)
from waybill.sandbox.zuora.members import CUSTOM, account_number, custom_fields, email


def _contact(postcode: str, *, partial: bool = False) -> Shape:
    """The same person has a `postalCode` in an order and a `zipCode` in an account."""
    names: dict[str, Rule] = {"firstName": text(100), "lastName": text(100)}
    return Shape(
        required={} if partial else names,
        optional={
            **(names if partial else {}),
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

_changed_contact = _contact("zipCode", partial=True)
account_changes = Shape(
    optional={
        **{
            name: rule
            for name, rule in _account_common.items()
            if name
            not in {
                "accountNumber",
                "creditCard",
                "hpmCreditCardPaymentMethodId",
                "paymentMethod",
                "soldToSameAsBillTo",
                "shipToSameAsBillTo",
            }
        },
        "name": text(255),
        "billCycleDay": whole,
        "defaultPaymentMethodId": text(64),
        "billToContact": _changed_contact,
        "soldToContact": _changed_contact,
        "shipToContact": _changed_contact,
        "billToContactId": text(64),
        "soldToContactId": text(64),
        "shipToContactId": text(64),
        "additionalEmailAddresses": several(email),
        "customerServiceRepName": text(50),
    },
    extra=CUSTOM,
)

_roles: dict[str, Rule] = {"asBillTo": flag, "asSoldTo": flag, "asShipTo": flag}
contact_body = _account_contact.extended(
    {"accountId": text(64), "accountNumber": text(70), "contactDescription": text(100), **_roles}
)
contact_changes = _changed_contact.extended({"contactDescription": text(100), **_roles})

_HOLDER = Shape(
    optional={
        "accountHolderName": text(60),
        "addressLine1": text(),
        "addressLine2": text(),
        "city": text(),
        "country": text(),
        "email": text(),
        "phone": text(),
        "state": text(),
        "zipCode": text(),
    }
)
_anyhow = Shape(extra=("",))
_method_common: dict[str, Rule] = {
    "accountKey": text(70),
    "authGateway": text(64),
    "currencyCode": text(3),
    "gatewayOptions": _anyhow,
    "ipAddress": text(45),
    "makeDefault": flag,
    "mandateInfo": _anyhow,
    "processingOptions": _anyhow,
    "skipValidation": flag,
}
_account_holder: dict[str, Rule] = {
    "accountHolderInfo": _HOLDER,
    "accountMaskNumber": text(),
    "accountNumber": text(),
    "bankCode": text(),
    "branchCode": text(),
    "identityNumber": text(),
    "tokenize": flag,
    "tokens": anything,
}
_bank = ("accountHolderInfo", "accountNumber", "bankCode")
_branch = (*_bank, "branchCode")
# What each type needs, and what else it takes.
_METHODS: dict[str, tuple[tuple[str, ...], dict[str, Rule]]] = {
    "CreditCard": (
        ("cardHolderInfo", "cardNumber", "cardType", "expirationMonth", "expirationYear"),
        {
            "cardHolderInfo": _anyhow,
            "cardNumber": text(),
            "cardType": text(),
            "cardMaskNumber": text(),
            "checkDuplicated": flag,
            "expirationMonth": whole,
            "expirationYear": whole,
            "securityCode": text(),
        },
    ),
    "CreditCardReferenceTransaction": (
        ("tokenId",),
        {"tokenId": text(), "secondTokenId": text(), "creditCardMaskNumber": text()},
    ),
    "ACH": (
        ("bankABACode", "bankAccountName", "bankAccountNumber", "bankAccountType", "bankName"),
        {"addressLine1": text(), "city": text(), "country": text(), "zipCode": text()},
    ),
    "SEPA": (
        ("IBAN", "accountHolderInfo"),
        {"IBAN": text(), "businessIdentificationCode": text()},
    ),
    "Betalingsservice": ((*_bank, "identityNumber"), {}),
    "Autogiro": (("accountHolderInfo", "accountNumber", "branchCode", "identityNumber"), {}),
    "Bacs": (_bank, {}),
    "Becs": (("accountNumber", "branchCode"), {}),
    "Becsnz": (_branch, {}),
    "PAD": (_branch, {}),
    "PayPalCP": (("BAID",), {"email": email}),
    "PayPalEC": (("BAID", "email"), {}),
    "PayPalNativeEC": (("BAID", "email"), {}),
    "PayPalAdaptive": (("preapprovalKey", "email"), {}),
    "AdyenApplePay": (("applePaymentData",), {"applePaymentData": text(10000)}),
    "GooglePay": (("googlePaymentToken",), {"googlePaymentToken": text(10000)}),
    "AmazonPay": (("amazonPayToken",), {"amazonPayToken": text(10000)}),
}


def _method_shape(required: tuple[str, ...], optional: dict[str, Rule]) -> Shape:
    known = {**_method_common, **_account_holder, **optional}
    needed = {name: known.pop(name, text()) for name in required}
    return Shape(required={"type": choice(*_METHODS), **needed}, optional=known)


_method_shapes = {kind: _method_shape(*members) for kind, members in _METHODS.items()}
_method_of_no_type = Shape(required={"type": choice(*_METHODS)}, extra=("",))


def method_body(value: object, at: str, found: Found) -> None:
    """A payment method: its type says what else it needs."""
    kind = value.get("type") if isinstance(value, dict) else None
    known = _method_shapes.get(kind) if isinstance(kind, str) else None
    (known or _method_of_no_type)(value, at, found)


method_changes = Shape(
    optional={
        "accountKey": text(70),
        "accountHolderInfo": _HOLDER,
        "authGateway": text(64),
        "currencyCode": text(3),
        "expirationMonth": whole,
        "expirationYear": whole,
        "gatewayOptions": _anyhow,
        "ipAddress": text(45),
        "mandateInfo": _anyhow,
        "processingOptions": _anyhow,
        "securityCode": text(),
    },
    extra=CUSTOM,
)
