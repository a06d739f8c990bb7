"""Who may see an uploaded file."""

from __future__ import annotations

import io

import pytest
from flask import Flask
from PIL import Image

from kernel import files
from kernel.files import StoredFile
from kernel.identity import OrganisationKind, Role, end_membership
from tests import builders
from tests.visitors import Visitor

PROOF = b"%PDF-1.4 proof startxref 0 %%EOF"


def picture() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), "orange").save(data, "PNG")
    return data.getvalue()


@pytest.fixture
def proof(shop: Flask) -> StoredFile:
    """A private proof of a unit."""
    unit = builders.organisation(OrganisationKind.BUYING_UNIT)
    builders.account(Role.COORDINATOR, unit, login="coordinator-1")
    builders.account(Role.OFFICIAL, unit, login="official-1")
    other = builders.organisation(OrganisationKind.BUYING_UNIT)
    builders.account(Role.COORDINATOR, other, login="coordinator-2")
    builders.account(Role.STAFF, login="staff-1")
    return files.store(PROOF, "凭证.pdf", organisation_id=unit.id, account_id=None)


@pytest.mark.parametrize(
    ("login", "status"),
    [
        (None, 404),
        ("official-1", 404),
        ("coordinator-2", 404),
        ("coordinator-1", 200),
        ("staff-1", 200),
    ],
)
def test_a_private_file_is_for_its_owners_and_staff(
    visitor: Visitor, proof: StoredFile, login: str | None, status: int
) -> None:
    if login:
        visitor.enter(login)
    with visitor.get(f"/files/{proof.public_id}") as answer:
        assert answer.status_code == status
    assert visitor.get(f"/photos/{proof.public_id}").status_code == 404


def test_what_somebody_sent_in_for_an_organisation_is_not_theirs_once_they_left(
    shop: Flask, visitor: Visitor
) -> None:
    unit = builders.organisation(OrganisationKind.BUYING_UNIT)
    sender = builders.account(Role.COORDINATOR, unit)
    kept = files.store(PROOF, "凭证.pdf", organisation_id=unit.id, account_id=sender.id)
    own = files.store(PROOF, "凭证.pdf", organisation_id=None, account_id=sender.id)
    visitor.enter(sender.login)
    assert _status(visitor, kept) == 200
    end_membership(sender.id, Role.COORDINATOR, unit.id)
    assert [_status(visitor, kept), _status(visitor, own)] == [404, 200]


def _status(visitor: Visitor, stored: StoredFile) -> int:
    with visitor.get(f"/files/{stored.public_id}") as answer:
        return answer.status_code


def test_a_document_is_saved_and_never_guessed_at(visitor: Visitor, proof: StoredFile) -> None:
    visitor.enter("staff-1")
    with visitor.get(f"/files/{proof.public_id}") as answer:
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
        assert answer.mimetype == "application/pdf"


def test_a_public_photo_is_for_everybody_and_may_be_kept(shop: Flask, visitor: Visitor) -> None:
    photo = files.store(picture(), "orange.png", organisation_id=None, account_id=None, public=True)
    with visitor.get(f"/photos/{photo.public_id}") as answer:
        assert (answer.status_code, answer.mimetype) == (200, "image/webp")
        assert "max-age=2592000" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; sandbox")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert visitor.get("/photos/nothing").status_code == 404
