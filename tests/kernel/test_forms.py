"""A refused form says what to do, in the language of the reader, and which range a number has."""

from __future__ import annotations

import pytest
from flask import Flask

from cabinets.forms import CabinetForm
from kernel.forms import Form
from marketplace.account.forms import RegisterForm
from orders.forms import OfferForm, PlanForm
from sellers.forms.households import HouseholdForm

PLAN = {
    "title_zh": "春橙",
    "title_en": "x" * 121,
    "opens_at": "2026-12-01 soon",
    "harvest_from": "the first of May",
    "pay_within_h": "721",
}

REFUSALS = [
    (
        "zh",
        {
            "title_en": "太长了，最多 120 个字。",
            "opens_at": "日期和时间写成 2026-12-01 18:00 这样。",
            "closes_at": "这一项要填。",
            "harvest_from": "日期写成 2026-12-01 这样。",
            "pay_within_h": "填 1 到 720 的整数。",
        },
    ),
    (
        "en",
        {
            "title_en": "Too long; at most 120 characters.",
            "opens_at": "Write the date and time like 2026-12-01 18:00.",
            "closes_at": "Fill this in.",
            "harvest_from": "Write the date like 2026-12-01.",
            "pay_within_h": "Enter a whole number from 1 to 720.",
        },
    ),
]


def refusals(app: Flask, kind: type[Form], filled: dict[str, str], language: str) -> dict[str, str]:
    """What a form says first of each field, when it is sent as `filled`."""
    headers = {"Accept-Language": language}
    with app.test_request_context(method="POST", data=filled, headers=headers):
        form = kind(meta={"csrf": False})
        assert not form.validate()
        return {name: str(errors[0]) for name, errors in form.errors.items()}


@pytest.mark.parametrize(("language", "words"), REFUSALS)
def test_a_plan_that_cannot_be_read_says_of_each_field_what_to_write(
    app: Flask, language: str, words: dict[str, str]
) -> None:
    assert words.items() <= refusals(app, PlanForm, PLAN, language).items()


@pytest.mark.parametrize(
    ("kind", "filled", "words"),
    [
        (CabinetForm, {"slots": "101"}, {"slots": "填 1 到 100 的整数。"}),
        (CabinetForm, {"capacity": "0"}, {"capacity": "填 1 到 500 的整数。"}),
        (CabinetForm, {"slots": "ten"}, {"slots": "填一个整数，不带单位。"}),
        (OfferForm, {"quota": "10000001"}, {"quota": "填 1 到 10,000,000 的整数。"}),
        (HouseholdForm, {"share_weight": "0"}, {"share_weight": "填 1 到 10,000,000 的整数。"}),
        (HouseholdForm, {"status": "rich"}, {"status": "从列出的里选一个。"}),
    ],
)
def test_a_number_out_of_range_is_told_its_range(
    app: Flask, kind: type[Form], filled: dict[str, str], words: dict[str, str]
) -> None:
    assert words.items() <= refusals(app, kind, filled, "zh").items()


def test_text_is_cleaned_before_it_is_judged_and_a_password_is_left_alone(app: Flask) -> None:
    turned = {"title_zh": " \u202e橙春\u200b ", "region": "\u2066"}
    secret = {"name": "\u200b", "login": " reader\u200e", "password": " 12345678 "}
    with app.test_request_context(method="POST", data=turned):
        plan = PlanForm(meta={"csrf": False})
        assert (plan.title_zh.data, plan.region.data) == ("橙春", "")
    with app.test_request_context(method="POST", data=secret):
        person = RegisterForm(meta={"csrf": False})
        assert not person.validate()
        assert "name" in person.errors
        assert (person.login.data, person.password.data) == ("reader", " 12345678 ")
