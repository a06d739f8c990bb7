"""The shop's side of the town: stock, papers, purchases, transfers and refunds."""

from __future__ import annotations

import io
from collections.abc import Iterable

from PIL import Image
from sqlalchemy import update

from kernel import clock
from kernel.db import db, transaction
from kernel.documents import Document, DocumentState
from kernel.tokens import issue_token
from kernel.web_sessions import start
from orders.actions import handover
from orders.jobs import ask_for_packing_list
from orders.lifecycle import cancel
from orders.model import Order, PaymentMethod
from orders.payments.actions import confirm_transfer, submit_proof
from orders.payments.captures import Captured, record_capture
from orders.payments.disputes import record_dispute
from orders.payments.gateway import DisputeMovement, ProviderDispute
from orders.placing import Buyer, Placed, place
from orders.queries import handover as queries
from sellers import actions as sellers
from sellers import jobs
from sellers.model import Certificate, CertificateState, Offer, SellerState
from tests import builders
from tests.sellers.test_imports import RIGHT, workbook
from tests.town.people import People

RIGHT_BOOK = workbook(RIGHT, {**RIGHT, "数量": "许多"})


def picture() -> bytes:
    """A small photograph."""
    out = io.BytesIO()
    Image.new("RGB", (20, 20), "orange").save(out, "PNG")
    return out.getvalue()


def stock(people: People, rows: int) -> list[Offer]:
    """Products with lots, offers and certificates, papers that wait, and spreadsheets."""
    offers = []
    photo = sellers.Upload(picture(), "photo.png")
    for number in range(rows):
        product = builders.product(people.seller, name_zh=f"春橙{number}")
        sellers.set_photo(product.id, photo, people.clerk.id)
        offers.append(builders.offer(builders.lot(product, 5000), broadcast_floor_fen=4900))
        sellers.add_certificate(
            people.seller.id, people.clerk.id, kind="organic", number=f"ORG-{number}",
            upload=photo,
        )  # fmt: skip
        with transaction() as session:
            session.add(
                Certificate(
                    seller_id=people.seller.id, product_id=product.id, kind="green",
                    number=f"G-{number}", state=CertificateState.ACCEPTED,
                )
            )  # fmt: skip
        builders.seller(
            SellerState.SUBMITTED, bank_account="6222020000000000", bank_changed_at=clock.now()
        )
        read = jobs.upload(people.seller.id, people.clerk.id, RIGHT_BOOK, "stock.xlsx")
        jobs.read_spreadsheet(import_id=read.id)
    return offers


def pay(placed: Placed) -> None:
    """The payment came in through Stripe."""
    assert placed.payment_id is not None
    arrived = Captured(placed.total.fen, clock.now(), f"pi_{placed.number}")
    record_capture(placed.payment_id, arrived)


def contest(placed: Placed) -> None:
    """It was paid, and the buyer's bank took the money back."""
    pay(placed)
    moved = DisputeMovement(f"txn_{placed.number}", placed.total.fen, 0)
    record_dispute(
        ProviderDispute(
            f"dp_{placed.number}", f"pi_{placed.number}", "needs_response", "fraudulent",
            placed.total.fen, None, [moved], clock.now(),
        )
    )  # fmt: skip


def purchases(people: People, offers: list[Offer], rows: int) -> None:
    """Orders of the consumer in every state that a list shows."""
    buyer, credited = Buyer(people.consumer.id), builders.credited_to_shop(*offers)
    basket = {offer.id: 1 for offer in offers}

    def bought(method: PaymentMethod, wanted: dict[int, int] | None = None) -> Placed:
        return place(buyer, wanted or {offers[0].id: 1}, credited, method)

    for number in range(rows):
        sent = bought(PaymentMethod.STRIPE, basket if number == 0 else None)
        pay(sent)
        handover.send(handover.pack_order(people.seller.id, sent.order_id).id, "自己送")
        contest(bought(PaymentMethod.STRIPE))
        waiting = bought(PaymentMethod.TRANSFER)
        submit_proof(
            waiting.payment_id or "", picture(), "proof.png", account_id=people.consumer.id
        )
        owed = bought(PaymentMethod.TRANSFER)
        confirm_transfer(owed.payment_id or "", people.staff.id, owed.total.fen)
        cancel(db.session.get_one(Order, owed.order_id))
    handed = parcel(people, offers[0])
    handover.receive(handed.order_id, account_id=people.consumer.id)


def parcel(people: People, offer: Offer) -> Placed:
    """One more purchase of the consumer, on its way."""
    credited = builders.credited_to_shop(offer)
    sent = place(Buyer(people.consumer.id), {offer.id: 1}, credited, PaymentMethod.STRIPE)
    pay(sent)
    handover.send(handover.pack_order(people.seller.id, sent.order_id).id, "自己送")
    return sent


def papers(consignments: Iterable[str]) -> None:
    """A PDF of these packing lists, as if the worker had made it."""
    for public_id in consignments:
        ask_for_packing_list(queries.packed(public_id))
    with transaction() as session:
        session.execute(update(Document).values(state=DocumentState.READY, content=""))


def devices(people: People, rows: int) -> None:
    """Programs and browsers that people left signed in."""
    for _ in range(rows):
        for account in (people.consumer, people.clerk, people.staff):
            issue_token(account)
            start(account, "Browser")
