"""A town: everybody whom the roles name, each with something of every kind to look at or change.

`build(rows)` makes so many of each. What an address names stands in `tests.town.addresses`.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernel.db import transaction
from kernel.identity import Account, Organisation, OrganisationKind, Role
from orders.model import BuyingUnit
from sellers.model import BenefitPlan, Household, Seller
from tests import builders


@dataclass(frozen=True)
class People:
    """One account for each role, and what they belong to."""

    consumer: Account
    official: Account
    coordinator: Account
    clerk: Account
    steward: Account
    staff: Account
    second: Account
    host: Account
    operator: Account
    auditor: Account
    admin: Account
    seller: Seller
    unit: BuyingUnit
    company: Organisation

    def holding(self, role: Role) -> Account | None:
        """Who holds a role; None for a visitor and for a device."""
        return {
            Role.CONSUMER: self.consumer,
            Role.OFFICIAL: self.official,
            Role.COORDINATOR: self.coordinator,
            Role.CLERK: self.clerk,
            Role.STEWARD: self.steward,
            Role.STAFF: self.staff,
            Role.HOST: self.host,
            Role.OPERATOR: self.operator,
            Role.AUDITOR: self.auditor,
            Role.ADMIN: self.admin,
        }.get(role)


def settle() -> People:
    """Everybody moves in."""
    platform = builders.organisation(OrganisationKind.PLATFORM, "某平台")
    company = builders.organisation(OrganisationKind.CABINET_OPERATOR, "某运营单位")
    seller, unit = builders.seller(), builders.buying_unit()

    def somebody(role: Role, of: Organisation | None = None) -> Account:
        return builders.account(role, of)

    with transaction() as session:
        session.add(BenefitPlan(seller_id=seller.id, kind="delivery", basis_points=8000))
        session.add(BenefitPlan(seller_id=seller.id, kind="second", basis_points=500))
    return People(
        consumer=builders.account(),
        official=somebody(Role.OFFICIAL, unit.organisation),
        coordinator=somebody(Role.COORDINATOR, unit.organisation),
        clerk=somebody(Role.CLERK, seller.organisation),
        steward=somebody(Role.STEWARD, seller.organisation),
        staff=somebody(Role.STAFF, platform),
        second=somebody(Role.STAFF, platform),
        host=somebody(Role.HOST, platform),
        operator=somebody(Role.OPERATOR, company),
        auditor=somebody(Role.AUDITOR, platform),
        admin=somebody(Role.ADMIN, platform),
        seller=seller,
        unit=unit,
        company=company,
    )


def households(people: People, rows: int) -> list[Household]:
    """Households behind the seller, looked after by its steward."""
    return [builders.household(people.seller, steward_id=people.steward.id) for _ in range(rows)]
