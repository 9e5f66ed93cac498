"""What orders are found by: words of texts, alike for whoever writes and whoever searches."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.search_words import LONGEST, words_in


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("EXT-00001234", ["ext", "00001234"]),
        ("Journal & Café, Édition_2", ["journal", "cafe", "edition", "2"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("\ufb01ne \u2167", ["fine", "viii"]),
        ("日本 Москва", ["日本", "москва"]),
        ("% _ -- ''", []),
        ("x" * 100, ["x" * LONGEST]),
        ("a\x00b", ["a", "b"]),
    ],
)
def test_words_are_letters_and_digits_without_case_and_accents(text: str, words: list[str]) -> None:
    assert words_in(text) == words


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.integers(0, 40))
def test_the_beginning_of_a_text_has_its_words_the_last_one_begun(text: str, size: int) -> None:
    whole, begun = words_in(text), words_in(text[:size])
    assert begun[:-1] == whole[: max(0, len(begun) - 1)]
    if begun:
        assert whole[len(begun) - 1].startswith(begun[-1])


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_words_need_no_care_in_patterns_and_queries(text: str) -> None:
    for word in words_in(text):
        assert not set(word) & set(" '\"%_\\*:&|!()\x00")
        assert words_in(word) == [word]
