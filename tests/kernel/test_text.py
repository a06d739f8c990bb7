"""What numbers of phones and bank accounts look like."""

import re

import pytest

from kernel.text import BANK_ACCOUNT, PHONE, plain


@pytest.mark.parametrize(
    "typed", ["13800000000", "0751-8888888", "+86 138 0000 0000", "１３８００００００００"]
)
def test_a_phone_is_digits_perhaps_in_groups(typed: str) -> None:
    assert re.match(PHONE, plain(typed))


@pytest.mark.parametrize("typed", ["甲乙abc", "-5", "138", "1380000000x", "0" * 30, ""])
def test_words_and_scraps_are_no_phone(typed: str) -> None:
    assert not re.match(PHONE, plain(typed))


@pytest.mark.parametrize("typed", ["6222020000000000", "6222 0200 0000 0000 123", "４４0０1234"])
def test_an_account_is_eight_digits_or_more_perhaps_in_groups(typed: str) -> None:
    assert re.match(BANK_ACCOUNT, plain(typed))


@pytest.mark.parametrize(
    "typed", ["中国银行", "6222-", "1234567", "0" * 33, "-62220200", "62 x 22"]
)
def test_words_and_scraps_are_no_account(typed: str) -> None:
    assert not re.match(BANK_ACCOUNT, plain(typed))
