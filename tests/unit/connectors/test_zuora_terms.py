import pytest

from tests.unit.connectors.zuora_talk import attributes, created, refused, step


def test_the_offers_term_is_renewed_by_the_same(body, order):
    assert created(body(step(order())))["terms"] == {
        "initialTerm": {
            "termType": "TERMED",
            "period": 3,
            "periodType": "Month",
            "startDate": "2026-12-01",
        },
        "autoRenew": True,
        "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
        "renewalTerms": [{"period": 3, "periodType": "Month"}],
    }


def test_an_offer_without_a_term_runs_until_it_is_cancelled(body, order):
    endless = order()
    del attributes(endless)["term__limio"]
    initial = created(body(step(endless)))["terms"]["initialTerm"]
    assert initial == {"termType": "EVERGREEN", "startDate": "2026-12-01"}


@pytest.mark.parametrize("term", [{"length": 3, "type": "moons"}, {"length": 0, "type": "weeks"}])
def test_a_term_that_zuora_has_no_words_for_is_refused(talk, order, term):
    odd = order()
    attributes(odd)["term__limio"] = term
    assert refused(talk, step(odd)).code == "term"


def test_all_three_dates_are_given_so_that_nothing_stays_pending(body, order):
    [action] = body(step(order()))["subscriptions"][0]["orderActions"]
    assert action["triggerDates"] == [
        {"name": name, "triggerDate": "2026-12-01"}
        for name in ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
    ]


def test_without_a_start_date_the_day_of_acceptance_counts(body, order):
    today = order()
    del today["orderItems"][0]["startDate"]
    sent = body(step(today))
    assert created(sent)["terms"]["initialTerm"]["startDate"] == "2026-11-20"


def test_a_start_date_that_is_none_is_refused(talk, order):
    odd = order()
    odd["orderItems"][0]["startDate"] = "next Tuesday"
    assert "startDate" in refused(talk, step(odd)).message
