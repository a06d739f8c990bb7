"""Personal data at rest: which columns are encrypted, and how their key is changed."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet, InvalidToken
from flask import Flask
from sqlalchemy import text

from kernel import clock, crypt
from kernel.db import db
from kernel.settings import data_keys
from orders.model import Order, PaymentMethod
from orders.placing import Recipient, place
from sellers.model import Household
from tests import builders

SENSITIVE = {
    ("household", "name"),
    ("household", "phone"),
    ("household", "bank_account"),
    ("seller", "contact_phone"),
    ("seller", "bank_account"),
    ("orders", "recipient"),
    ("document", "content"),
}
SECRETS = {("cabinet", "device_key"), ("second_factor", "secret")}
NOBODYS = {
    ("buying_unit", "address"),
    *(
        ("seller", f"bank_{what}_{when}")
        for what in ("changed", "checked")
        for when in ("at", "by")
    ),
}
WORDS = ("phone", "bank", "identity_number", "id_number", "recipient", "address", "mobile", "email")


def test_what_is_sensitive_is_encrypted_and_no_column_is_forgotten(app: Flask) -> None:
    encrypted = {(table.name, column.name) for table, column in crypt.encrypted_columns()}
    assert encrypted >= SENSITIVE
    assert encrypted - SENSITIVE == SECRETS
    looks_personal = {
        (table.name, column.name)
        for table in db.metadata.sorted_tables
        for column in table.columns
        if any(word in column.name for word in WORDS)
    }
    assert looks_personal - NOBODYS <= encrypted


def test_a_new_key_takes_over_while_the_old_one_still_reads(app: Flask) -> None:
    with app.app_context():
        before = app.extensions["data_key"]
        seller = builders.seller(
            contact_phone="13800000001",
            bank_account="6222000000000001",
            bank_changed_at=clock.now(),
        )
        households = [builders.household(seller, phone=f"1390000{n:04}") for n in range(3)]
        offer = builders.offer()
        to = Recipient("某人", "13700000001", "重庆市", "某路 1 号")
        credited = builders.credited_to_shop(offer)
        placed = place(builders.buyer(), {offer.id: 1}, credited, PaymentMethod.STRIPE, to)
        old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
        try:
            app.extensions["data_key"] = data_keys(old)
            with pytest.raises(InvalidToken):
                crypt.renew()  # neither of the keys: nothing is lost
            db.session.rollback()
            app.extensions["data_key"] = type(before)([Fernet(new), *before._fernets])
            assert crypt.renew() == 2 + 3 * 2 + 1
            app.extensions["data_key"] = data_keys(new)
            db.session.expire_all()
            assert [db.session.get_one(Household, one.id).phone for one in households] == [
                f"1390000{n:04}" for n in range(3)
            ]
            assert db.session.get_one(Order, placed.order_id).recipient == to.as_text()
            kept = db.session.scalar(text("SELECT string_agg(phone, '') FROM household"))
            assert "1390000" not in str(kept)
        finally:
            app.extensions["data_key"] = before
            db.session.rollback()


@pytest.mark.parametrize(
    ("phone", "shown"),
    [
        ("13900001234", "139****1234"),
        ("+86 139 0000 1234", "+86****1234"),
        ("57181234", "5****"),
        ("0571818", "0****"),
        ("1", "1*"),
        ("", ""),
    ],
)
def test_a_short_number_is_not_told_by_what_is_shown_of_it(phone: str, shown: str) -> None:
    assert crypt.mask_phone(phone) == shown


def test_a_name_keeps_its_first_character_alone() -> None:
    assert [crypt.mask(one) for one in ("张", "张三", "欧阳娜娜", "阿卜杜拉·买买提")] == [
        *("张*", "张*", "欧***", "阿****")
    ]
