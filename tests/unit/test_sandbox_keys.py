"""Stored answers by idempotency key."""

from waybill.sandbox.keys import KEPT_SECONDS, KeyBook, Taken


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_new_key_is_the_callers_to_run():
    assert KeyBook[str](Clock()).claim("k", "POST /a") is None


def test_a_key_whose_first_request_runs_is_taken():
    book = KeyBook[str](Clock())
    book.claim("k", "POST /a")
    assert book.claim("k", "POST /a") is Taken.RUNNING


def test_a_stored_answer_is_repeated():
    book = KeyBook[str](Clock())
    book.claim("k", "POST /a")
    book.keep("k", "refused")
    assert book.claim("k", "POST /a") == "refused"


def test_a_key_used_for_another_target_is_taken_even_while_the_first_runs():
    book = KeyBook[str](Clock())
    book.claim("k", "POST /a")
    assert book.claim("k", "POST /b") is Taken.ELSEWHERE


def test_a_claim_without_outcome_can_be_given_back():
    book = KeyBook[str](Clock())
    book.claim("k", "POST /a")
    book.release("k")
    assert book.claim("k", "POST /a") is None


def test_giving_back_does_not_forget_an_outcome():
    book = KeyBook[str](Clock())
    book.claim("k", "POST /a")
    book.keep("k", "done")
    book.release("k")
    assert book.claim("k", "POST /a") == "done"


def test_answers_are_forgotten_after_24_hours():
    clock = Clock()
    book = KeyBook[str](clock)
    book.claim("k", "POST /a")
    book.keep("k", "done")
    clock.now += KEPT_SECONDS - 1
    assert book.claim("k", "POST /a") == "done"
    clock.now += 1
    assert book.claim("k", "POST /a") is None
