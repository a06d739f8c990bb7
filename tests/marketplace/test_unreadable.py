"""Text that no column can hold, and JSON that no parser finishes, are refused and never a fault."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask.testing import FlaskClient

from cabinets.forms import count_lines
from cabinets.queries import SlotStock
from kernel import clock
from kernel.errors import Invalid
from marketplace.report import periods


@pytest.mark.parametrize("path", ["/offers/a%00b", "/api/v1/offers/%00", "/join/%00/qr.svg"])
def test_a_nul_in_an_address_names_nothing(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/offers?region=%00", "/offers?cursor=%00", "/?%00=1"])
def test_a_nul_in_a_query_is_a_page_that_says_so(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert "这个请求读不懂" in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b'{"login": "a\\u0000", "password": "b"}',
        b'{"login": "a\\ud800", "password": "b"}',
        b'{"login": "a", "password": {"\\u0000": ["b"]}}',
        b"[" * 50_000,
        b'{"login": {"a":' * 20_000,
        b"[" * 900 + b"]" * 900,
        b"1" * 6_000,
        b"{",
        b"\xff\xfe",
    ],
)
def test_json_that_cannot_be_kept_is_a_problem_document(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/api/v1/tokens", data=body, content_type="application/json")
    assert answer.status_code in (400, 422)
    assert answer.mimetype == "application/problem+json"


def test_an_escaped_backslash_is_ordinary_text(client: FlaskClient) -> None:
    body = b'{"login": "a\\\\u0000", "password": "b"}'
    answer = client.post("/api/v1/tokens", data=body, content_type="application/json")
    assert answer.get_json()["code"] != "bad_request"


def test_a_nul_in_a_form_is_refused(client: FlaskClient) -> None:
    answer = client.post("/language", data={"language": "en\0", "next": "/"})
    assert answer.status_code == 400
    assert "这个请求读不懂" in answer.text


def test_a_checkout_with_endless_units_is_no_fault(client: FlaskClient) -> None:
    for units in ("9" * 5_000, "99999999999999999999", "-1", "²"):
        answer = client.post("/checkout", data={"lines-0": f"abc:{units}"})
        assert answer.status_code < 500


def test_what_a_count_expected_may_come_back_spoilt() -> None:
    slot = SlotStock(1, 1, 1, 10, 4, None, None, 0, 0, "", "", "", 0, "", "", "", "", (), False)
    for seen in ("--5", "9" * 5_000, "-", "²"):
        (line,) = count_lines({"counted-1": "3", "expected-1": seen}, [slot])
        assert line.expected == 4


@pytest.mark.parametrize("year", [1, 1999, 2200, 9999])
def test_a_year_that_nobody_means_is_refused(year: int) -> None:
    far = datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    with pytest.raises(Invalid) as refused:
        clock.check_years(closes_at=far, opens_at=None)
    assert set(refused.value.fields) == {"closes_at"}
    with pytest.raises(Invalid):
        periods.between(far.date(), far.date())
