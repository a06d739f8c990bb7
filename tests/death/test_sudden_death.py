"""Kill -9 at every kind of moment, while buyers buy: the short form of `make kills`.

The runs after it are controls: what the protection is taken from is found by the same audit.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.death.audit import audit
from tests.death.moments import BEFORE_RESPONSE, WEB
from tests.death.plan import FIFTY, PLACE, SHORT, Kill, Victim
from tests.death.run import Buying, Outcome, carry_out, come_to_rest
from tests.death.shop import Shop

pytestmark = [pytest.mark.launch, pytest.mark.xdist_group("launch")]


@pytest.fixture(scope="module")
def buying() -> Iterator[Buying]:
    """One shop for all of this module: opening it takes longest."""
    with Shop() as shop:
        yield Buying(shop)


def test_nothing_is_lost_doubled_or_charged_twice_by_sudden_deaths(buying: Buying) -> None:
    outcome = Outcome()
    carry_out(SHORT, buying, outcome, print)
    come_to_rest(buying.shop, patient=False)

    assert [killed.kill for killed in outcome.killed] == list(SHORT)
    assert audit(buying.shop, buying.witness).found() == {}
    assert any(intent.tries > 1 for intent in buying.witness.intents)


def test_money_of_which_no_webhook_told_is_found_missing_until_the_payment_service_is_asked(
    buying: Buying,
) -> None:
    shop = buying.shop
    shop.sandbox.hold_webhooks()
    with buying.going_on(comes_back=False):
        buying.wait_for_a_payment()
    found = audit(shop, buying.witness).found()
    assert "unrecorded" in found

    come_to_rest(shop, patient=False)
    shop.sandbox.release_webhooks()
    come_to_rest(shop, patient=False)
    assert audit(shop, buying.witness).found() == {}


def test_a_buyer_who_takes_another_key_for_each_try_is_found_to_have_two_orders(
    buying: Buying,
) -> None:
    lost_answer = Kill(Victim.STANDING, WEB, BEFORE_RESPONSE, PLACE)
    carry_out([lost_answer], buying, Outcome(), print, fresh_keys=True)
    come_to_rest(buying.shop, patient=False)
    assert "doubled" in audit(buying.shop, buying.witness).found()


def test_the_long_form_kills_fifty_times_and_the_short_one_at_every_point() -> None:
    assert len(FIFTY) == len(set(FIFTY)) == 50
    assert {kill.point for kill in SHORT} == {kill.point for kill in FIFTY}
    assert {kill.who for kill in SHORT} == {kill.who for kill in FIFTY}
