"""Nothing personal and nothing secret survives in what is recorded."""

import json
from base64 import b64encode
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.redaction import MARK, MAX_RECORDED, Scrubber

ADA = {
    "customerDetails": {"firstName": "Al", "lastName": "Lovelace", "email": "Ada@Example.org"},
    "billingDetails": {"street": "12 Long Street", "city": "Évry", "country": "GB", "zip": 75001},
    "payment": {"type": "zuora", "success": "true", "token": "tok-1234"},
}
PERSONAL = ("Lovelace", "Ada@Example.org", "12 Long Street", "Évry", "75001", "tok-1234", '"Al"')

values = st.text(
    # The mark's own brackets could make up a value out of the mark and its neighbours.
    st.characters(exclude_characters="[]\0", exclude_categories=("Cs",)),
    min_size=4,
    max_size=20,
).filter(lambda value: value not in MARK and value.lower() not in ("true", "false", "null", "none"))
surroundings = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
spellings = [
    lambda text: json.dumps({"x": text}).encode(),
    lambda text: json.dumps({"x": [text, 1, None]}, ensure_ascii=False).encode(),
    lambda text: json.dumps({"x": json.dumps({"y": text})}).encode(),
    lambda text: json.dumps({"x": text})[:-1].encode(),
    lambda text: text.encode(),
    lambda text: quote(text).encode(),
    lambda text: urlencode({"q": text}).encode(),
    lambda text: quote_plus(text).lower().encode(),
]


@given(values, surroundings, surroundings, st.sampled_from(spellings))
@settings(max_examples=400, deadline=None)
def test_no_value_survives_however_it_is_spelled(value, before, after, spelled):
    scrubber = Scrubber.of({"a": {"b": value}})
    raw = spelled(before + value + after)
    assert value not in scrubber.body(raw).text
    assert value not in scrubber.text(raw.decode())


@given(values, st.integers(0, 200), st.booleans())
@settings(max_examples=100, deadline=None)
def test_no_value_survives_at_the_place_where_bodies_are_cut(value, back, escaped):
    filler = "z" * (MAX_RECORDED - back)
    raw = json.dumps({"x": filler + value * 3 + "z" * 9000}, ensure_ascii=escaped).encode()
    body = Scrubber.of([value]).body(raw)
    assert value not in body.text
    assert len(body.text.encode()) <= MAX_RECORDED + 4 * len(MARK)
    assert body.length == len(raw)


@pytest.mark.parametrize("text", PERSONAL)
def test_values_of_personal_sections_are_replaced(text):
    echo = json.dumps(ADA, ensure_ascii=False).encode()
    recorded = Scrubber.of(ADA).body(echo).text
    assert text not in recorded
    assert '"zuora"' in recorded
    assert '"GB"' in recorded


def test_latin_1_replies_are_read_before_they_are_searched():
    assert Scrubber.of(ADA).body("ville: Évry".encode("latin-1")).text == f"ville: {MARK}"


def test_addresses_echoed_in_lower_case_are_replaced():
    assert Scrubber.of(ADA).text("no ada@example.org here") == f"no {MARK} here"


def test_short_values_are_replaced_as_whole_strings_only():
    assert Scrubber.of(ADA).body(b'{"a":"Al","b":"Also"}').text == f'{{"a":{MARK},"b":"Also"}}'


def test_secrets_are_replaced_in_base64_too():
    scrubber = Scrubber.of({}).joined(Scrubber.of({}, ["client:hunter2"]))
    echo = b"Basic " + b64encode(b"client:hunter2") + b" client:hunter2"
    assert scrubber.body(echo).text == f"Basic {MARK} {MARK}"


def test_a_body_keeps_length_and_digest_of_the_whole():
    body = Scrubber.of({}).body(b"x" * 20_000)
    assert (len(body.text), body.length, len(body.sha256)) == (MAX_RECORDED, 20_000, 64)


def test_what_is_not_text_is_not_recorded():
    assert Scrubber.of(ADA).body("Lovelace".encode("utf-16")).text == "[not text]"
