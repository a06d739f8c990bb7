"""What is supplied: sellers with their papers and households, products, lots and shop offers."""

from __future__ import annotations

import io
from datetime import date, timedelta

from PIL import Image, ImageDraw

from kernel import clock
from kernel.db import db, transaction
from kernel.identity import Account, Role, grant
from marketplace.demo import facts
from marketplace.demo.world import World
from sellers import actions
from sellers.actions import (
    HouseholdFacts,
    LotFacts,
    OfferTerms,
    ProductFacts,
    SellerFacts,
    Upload,
)
from sellers.model import Category, HouseholdStatus, LotMode, Place, Product, Seller, SellerKind

CLERKS = {"lc-platform": "clerk", "yb-qinglong": "clerk-qinglong"}
HOUSEHOLDS = {"yb-qinglong": 12, "lc-xiushui": 8, "lc-platform": 6}
"""How many households the demo shows behind a seller, of as many as were reported."""
REGISTERED = {"yb-qinglong": 6, "lc-xiushui": 8, "lc-platform": 3}
USUAL_OFFERED = 2000
CASES = {"枚": 30, "个": 30, "斤": 10}
EVIDENCE = "县级认定文件（示例）"


def stock(world: World) -> None:
    """Let every seller register, be verified, and put its goods on sale."""
    for row in facts.rows("sellers"):
        _seller(world, row)
    for row in facts.rows("listings"):
        _listing(world, row)


def paper(title: str, number: str) -> bytes:
    """Return a picture of a made-up certificate: a sheet with a frame, lines and a seal."""
    sheet = Image.new("RGB", (320, 450), "#fbf8ef")
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((12, 12, 308, 438), outline="#8a7a4c", width=2)
    draw.text((32, 45), title, fill="#222222", font_size=17)
    draw.text((32, 75), f"No. {number}", fill="#444444", font_size=11)
    for line in range(6):
        draw.line((32, 130 + line * 30, 288, 130 + line * 30), fill="#c9bfa0", width=1)
    draw.ellipse((200, 330, 280, 410), outline="#b0342a", width=3)
    draw.text((218, 363), "SAMPLE", fill="#b0342a", font_size=11)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _seller(world: World, row: dict[str, str]) -> None:
    code = row["code"]
    login = CLERKS.get(code, f"clerk-{code}")
    clerk = world.account(login, f"{row['name_zh']}经办人", f"Clerk of {row['name_en']}")
    made = actions.register_seller(
        clerk,
        SellerFacts(
            kind=SellerKind(row["kind"]),
            contact_phone="000-0000-0000",
            households_count=int(row["households"] or 0),
            registered_count=int(row["registered_households"] or 0),
            **{
                name: row[name]
                for name in (
                    "name_zh", "name_en", "province", "city", "county", "township", "village",
                )
            },
        ),
    )  # fmt: skip
    world.sellers[code] = made.id
    year = clock.local(world.diary.now).year
    number = f"XJ-{year}-{len(world.sellers):03d}"
    actions.add_certificate(
        made.id,
        clerk,
        kind=actions.LICENCE,
        number=number,
        issued_by="示例发证机关",
        valid_until=date(year + 3, 12, 31),
        upload=Upload(paper("Business licence (sample)", number), "licence.png"),
    )
    actions.submit(made.id)
    actions.verify(made.id, world.accounts["staff"])
    if HOUSEHOLDS.get(code):
        _households(world, code, made.id)


def _households(world: World, code: str, seller_id: int) -> None:
    login = "steward" if code == "yb-qinglong" else f"steward-{code}"
    steward = world.account(login, "驻村帮扶责任人", "Steward of households")
    with transaction() as session:
        of = session.get_one(Seller, seller_id).organisation
        grant(session.get_one(Account, steward), Role.STEWARD, of)
    year = clock.local(world.diary.now).year
    for n in range(HOUSEHOLDS[code]):
        registered = n < REGISTERED[code]
        status = HouseholdStatus.REGISTERED if registered else HouseholdStatus.ORDINARY
        if n == HOUSEHOLDS[code] - 1:
            status = HouseholdStatus.MONITORED
        actions.add_household(
            seller_id,
            HouseholdFacts(
                number=f"{17 + n * 9:03d}",
                status=status,
                status_evidence="" if status is HouseholdStatus.ORDINARY else EVIDENCE,
                status_until=date(year + 1, 12, 31),
                share_weight=1 + n % 3,
                steward_id=steward,
            ),
        )
    actions.plan_benefits(seller_id, kind="delivery", basis_points=7000)
    if code == "yb-qinglong":
        actions.plan_benefits(seller_id, kind="second", basis_points=500)


def _listing(world: World, row: dict[str, str]) -> None:
    code = row["code"]
    product = actions.add_product(
        world.sellers[row["seller"]],
        ProductFacts(
            name_zh=row["product_zh"],
            name_en=row["product_en"],
            category=Category(row["category"]),
            unit_name=row["sale_unit"],
            unit_g=int(row["unit_grams"]),
            case_units=CASES.get(row["sale_unit"], 1),
        ),
    )
    with transaction():
        db.session.get_one(Product, product.id).picture = facts.PICTURES[code]
    world.products[code] = product.id
    world.prices[code] = int(row["price_fen"])
    in_field = row["mode"] == "preorder"
    today = clock.local(world.diary.now).date()
    offered = int(row["reported_quantity"] or USUAL_OFFERED)
    lot = actions.add_lot(
        product.id,
        LotFacts(
            mode=LotMode.IN_FIELD if in_field else LotMode.IN_HAND,
            offered=offered,
            harvest_from=today + timedelta(days=8) if in_field else None,
            harvest_to=today + timedelta(days=18) if in_field else None,
            code=f"{code}-1",
        ),
    )
    world.lots[code] = lot.public_id
    terms = OfferTerms(
        price_fen=int(row["price_fen"]),
        broadcast_floor_fen=int(row["broadcast_floor_fen"] or 0) or None,
    )
    offer = actions.list_offer(lot.id, Place.SHOP, terms)
    world.offers[code] = offer.public_id
