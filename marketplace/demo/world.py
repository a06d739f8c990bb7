"""What the demo's parts share: the people, and what stands on the shelves."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from kernel import clock
from kernel.access import Viewer, viewer_of
from kernel.db import db, transaction
from kernel.identity import (
    Account,
    Membership,
    OrganisationKind,
    Role,
    add_organisation,
    hash_password,
)
from marketplace.demo.diary import Diary
from marketplace.demo.sign_ins import PASSWORD


@dataclass
class World:
    """Ids by login or code, and the dice, which fall the same way every time."""

    diary: Diary
    dice: random.Random
    password_hash: str = field(default_factory=lambda: hash_password(PASSWORD))
    accounts: dict[str, int] = field(default_factory=dict)
    organisations: dict[str, int] = field(default_factory=dict)
    sellers: dict[str, int] = field(default_factory=dict)
    products: dict[str, int] = field(default_factory=dict)
    lots: dict[str, str] = field(default_factory=dict)
    """Listing → public id of the lot in hand."""
    offers: dict[str, str] = field(default_factory=dict)
    """Listing → public id of its offer in the shop."""
    prices: dict[str, int] = field(default_factory=dict)

    def organisation(
        self, kind: OrganisationKind, code: str, name_zh: str, name_en: str, region: str = ""
    ) -> int:
        """Add an organisation and return its id."""
        self.organisations[code] = add_organisation(kind, code, name_zh, name_en, region).id
        return self.organisations[code]

    def account(
        self,
        login: str,
        name_zh: str,
        name_en: str,
        *seats: tuple[Role, int | None],
        staff_number: str = "",
        department: str = "",
    ) -> int:
        """Add an account that is named by its role, with its seats, and return its id."""
        with transaction() as session:
            made = Account(
                login=login, password_hash=self.password_hash, name_zh=name_zh, name_en=name_en
            )
            session.add(made)
            session.flush()
            session.add(Membership(account_id=made.id, role=Role.CONSUMER))
            for role, organisation_id in seats:
                session.add(
                    Membership(
                        account_id=made.id,
                        role=role,
                        organisation_id=organisation_id,
                        staff_number=staff_number,
                        department=department,
                    )
                )
            self.accounts[login] = made.id
        return self.accounts[login]

    def viewer(self, login: str) -> Viewer:
        """Return the viewer that this account is, with its second factor shown."""
        account = db.session.scalars(
            select(Account)
            .where(Account.id == self.accounts[login])
            .options(selectinload(Account.memberships))
        ).one()
        return viewer_of(account, "", factor_at=clock.now())
