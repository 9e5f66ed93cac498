"""Accounts, their contacts and their payment methods: what is asked of them, and what changes."""

from typing import NamedTuple

from waybill.sandbox.zuora.catalog import NOWHERE, hex_id
from waybill.sandbox.zuora.gateway import ENDING_LENGTH, ENDINGS
from waybill.sandbox.zuora.refusals import BUSINESS_RULE, NOT_FOUND, RefusedError
from waybill.sandbox.zuora.state import Account, Books, Contact, PaymentMethod, Record

CUSTOM_ENDINGS = ("__c", "__NS", "__QT")
_OWN_MEMBERS = frozenset(
    {
        "accountNumber",
        "name",
        "currency",
        "autoPay",
        "billToContact",
        "soldToContact",
        "shipToContact",
        "hpmCreditCardPaymentMethodId",
        "paymentMethod",
        "creditCard",
        "customFields",
        "defaultPaymentMethodId",
        "billToContactId",
        "soldToContactId",
    }
)
_ROLES = (("billToContact", "bill_to"), ("soldToContact", "sold_to"))


class Opened(NamedTuple):
    """An account that is not yet in the books, with what comes with it."""

    account: Account
    contacts: list[Contact]
    method: PaymentMethod | None

    def enter(self, books: Books) -> Account:
        """Put all of it into the books."""
        account = self.account
        books.accounts.put(account)
        for contact in self.contacts:
            add_contact(books, account, contact)
        if self.method is not None:
            attach(books, account, self.method)
            account.method = self.method.id
        if account.fields.get("crmId"):
            books.by_crm_id.setdefault(account.fields["crmId"], []).append(account.number)
        return account


def account_of(books: Books, key: str) -> Account:
    """The account by number or id."""
    found = books.accounts.get(key)
    if found is None:
        raise RefusedError(NOT_FOUND, f"Cannot find the account {key}.")
    return found


def method_of(books: Books, key: str) -> PaymentMethod:
    """The method by id; one that nobody made is the hosted page's, which the sandbox lacks."""
    found = books.methods.get(key)
    if found is None and not key.startswith(NOWHERE):
        found = PaymentMethod(id=key.replace("-", ""), account=None, type="CreditCard")
    if found is None or found.status != "Active":
        raise RefusedError(NOT_FOUND, f"Cannot find an active payment method with the id {key}.")
    return found


def own_method(books: Books, account: Account, key: str) -> PaymentMethod:
    """The method by id, which must be the account's or still an orphan."""
    found = method_of(books, key)
    if found.account is not None and found.id not in account.methods:
        message = f"The payment method {key} is already associated with another account."
        raise RefusedError(BUSINESS_RULE, message)
    return found


def attach(books: Books, account: Account, method: PaymentMethod) -> None:
    """Give an orphan to an account."""
    method.account = method.account or account.number
    books.methods.put(method)
    if method.id not in account.methods:
        account.methods.append(method.id)
        method.holders += 1


def new_method(body: Record, seed: str) -> PaymentMethod:
    """A method from its details; a token's telling end becomes the id's."""
    digest = hex_id("payment-method", seed)
    secrets = (str(body.get("tokenId", "")), str(body.get("cardNumber", "")))
    ending = next((one for one in ENDINGS for text in secrets if text.endswith(one)), None)
    if ending is not None:
        digest = digest[:-ENDING_LENGTH] + ending
    kept = {name: value for name, value in body.items() if name not in {"type", "accountKey"}}
    return PaymentMethod(id=digest, account=None, type=body.get("type", "CreditCard"), fields=kept)


def add_contact(books: Books, account: Account, contact: Contact) -> None:
    """Put a contact on the account."""
    books.contacts.put(contact)
    account.contacts.append(contact.id)


def own_contact(books: Books, account: Account, key: str) -> Contact:
    """A contact of this account."""
    found = books.contacts.get(key)
    if found is None or found.account != account.number:
        raise RefusedError(NOT_FOUND, f"Cannot find the contact {key} of {account.number}.")
    return found


def person(given: Record) -> Record:
    """A contact's fields as Zuora keeps them, wherever the body comes from."""
    fields = {**given, **given.get("customFields", {})}
    fields.pop("customFields", None)
    if "postalCode" in fields:
        fields["zipCode"] = fields.pop("postalCode")
    return fields


def opened(books: Books, body: Record) -> Opened:
    """The account that a body describes, for an order or by itself."""
    number = body.get("accountNumber") or books.next("A")
    if number in books.accounts:
        raise RefusedError(BUSINESS_RULE, f"The account number {number} already exists.")
    account = Account(
        number=number,
        id=hex_id("account", number),
        name=body["name"],
        currency=body["currency"],
        auto_pay=body.get("autoPay", False),
        fields={k: v for k, v in body.items() if k not in _OWN_MEMBERS and not _is_custom(k)},
        custom={k: v for k, v in body.items() if _is_custom(k)} | body.get("customFields", {}),
    )
    bill_to = Contact(hex_id("bill-to", number), number, person(body["billToContact"]))
    contacts = [bill_to]
    account.bill_to = account.sold_to = bill_to.id
    if "soldToContact" in body:
        sold_to = Contact(hex_id("sold-to", number), number, person(body["soldToContact"]))
        account.sold_to = sold_to.id
        contacts.append(sold_to)
    method = _method_with(books, account, body)
    if account.auto_pay and method is None:
        raise RefusedError(BUSINESS_RULE, "autoPay needs a payment method in the same call.")
    return Opened(account, contacts, method)


def _method_with(books: Books, account: Account, body: Record) -> PaymentMethod | None:
    hosted = body.get("hpmCreditCardPaymentMethodId")
    if hosted is not None:
        # Examples and load tests open all their accounts with one card.
        return method_of(books, hosted)
    given = body.get("paymentMethod") or body.get("creditCard")
    return None if given is None else new_method(given, f"{account.number}/{given}")


def change_account(books: Books, account: Account, body: Record) -> None:
    """`PUT /v1/accounts`: what is named is set, everything else stays."""
    default = body.get("defaultPaymentMethodId")
    if default is not None:
        method = books.methods.get(default)
        if method is None or method.account != account.number or method.status != "Active":
            message = f"The payment method {default} is not an active one of {account.number}."
            raise RefusedError(BUSINESS_RULE, message)
    if body.get("autoPay") and default is None and account.method is None:
        raise RefusedError(BUSINESS_RULE, "autoPay needs a default payment method.")
    ids = {role: body.get(f"{member}Id") for member, role in _ROLES}
    for key in filter(None, ids.values()):
        own_contact(books, account, key)
    for role, key in ids.items():
        setattr(account, role, key or getattr(account, role))
    account.method = default or account.method
    account.name = body.get("name", account.name)
    account.auto_pay = body.get("autoPay", account.auto_pay)
    _change_fields(books, account, body)
    for member, role in _ROLES:
        contact = books.contacts.get(getattr(account, role))
        if member in body and contact is not None:
            contact.fields |= person(body[member])


def _change_fields(books: Books, account: Account, body: Record) -> None:
    for name, value in body.items():
        if _is_custom(name):
            account.custom[name] = value
        elif name not in _OWN_MEMBERS:
            account.fields[name] = value
    if body.get("crmId"):
        known = books.by_crm_id.setdefault(body["crmId"], [])
        if account.number not in known:
            known.append(account.number)


def _is_custom(name: str) -> bool:
    return name.endswith(CUSTOM_ENDINGS)
