"""Cabinets as JSON: what devices report, what operators move, and what everybody may see."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from flask import request
from flask_smorest import Blueprint
from sqlalchemy import select

from cabinets import queries
from cabinets.actions import operated, reports, trips
from cabinets.device import is_signed
from cabinets.model import Cabinet
from cabinets.schemas import (
    CabinetOut,
    ChangedOut,
    CountIn,
    DifferenceOut,
    ExplainIn,
    OperatedOut,
    ReportsIn,
    ReportsOut,
    ReturnIn,
    SitesOut,
    SitesQuery,
    TripIn,
)
from kernel.access import allow, signed, viewer
from kernel.db import db
from kernel.idempotency import keyed, once_for_program
from kernel.identity import Role

View = TypeVar("View", bound=Callable[..., Any])

blueprint = Blueprint(
    "cabinets_api", __name__, url_prefix="/api/v1/cabinets", description="Smart cabinets"
)
OPERATORS = (Role.OPERATOR, Role.STAFF)
NOBODY = "no cabinet has this key"


def by_device(view: View) -> View:
    """Let in only a body that the cabinet in the path signed, and tell the view with which key.

    An unknown cabinet looks the same.
    """

    @wraps(view)
    def checked(*args: Any, code: str, **kwargs: Any) -> Any:
        key = db.session.scalar(select(Cabinet.device_key).where(Cabinet.code == code))
        header = request.headers.get("Signature", "")
        if not is_signed(key or NOBODY, header, request.get_data()) or key is None:
            raise reports.SignatureWrong()
        return view(*args, code=code, key=key, **kwargs)

    return checked  # type: ignore[return-value]  # it takes what the view takes, but the key


@blueprint.route("/<code>/events", methods=["POST"])
@allow(Role.DEVICE)
@signed
@by_device
@blueprint.arguments(ReportsIn)
@blueprint.response(200, ReportsOut)
def events(body: dict[str, Any], code: str, key: str) -> dict[str, Any]:
    """Take a device's signed reports: any order, any number of repeats, one effect.

    `Signature: t=…,v1=HMAC-SHA256(key, t + "." + body)` in hex. With a new key `sequence` begins
    with 1 again.
    """
    receipt = reports.receive(code, [_report(one) for one in body["events"]], key)
    return {
        "accepted": receipt.accepted,
        "repeated": receipt.repeated,
        "conflicting": [{"sequence": one, "code": reports.CONFLICT} for one in receipt.conflicting],
        "missing": queries.gaps_of(receipt.cabinet_id),
    }


def _report(event: dict[str, Any]) -> reports.Report:
    facts = {name: event[name] for name in event if name not in ("sequence", "kind", "at")}
    return reports.Report(event["sequence"], event["kind"], facts, event["at"])


def _changed(slots: dict[int, int]) -> dict[str, Any]:
    return {"lines": [{"slot": slot, "units": units} for slot, units in sorted(slots.items())]}


def _moved(verb: str, code: str, body: dict[str, Any], act: Callable[[], dict[int, int]]) -> Any:
    return once_for_program(f"cabinets.{verb}:{code}", body, lambda: _changed(act()))


@blueprint.route("/<code>/restocks", methods=["POST"])
@allow(*OPERATORS)
@keyed
@blueprint.arguments(TripIn)
@blueprint.response(201, ChangedOut)
def restocks(body: dict[str, Any], code: str) -> Any:
    """Move units from lots into slots, once."""
    lines = [
        trips.TripLine(one["slot"], one["units"], one["lot_id"], one["price_fen"])
        for one in body["lines"]
    ]
    return _moved("restock", code, body, lambda: trips.restock(viewer(), code, lines))


@blueprint.route("/<code>/returns", methods=["POST"])
@allow(*OPERATORS)
@keyed
@blueprint.arguments(ReturnIn)
@blueprint.response(201, ChangedOut)
def returns(body: dict[str, Any], code: str) -> Any:
    """Give units from slots back to their lots."""
    lines = [trips.ReturnLine(**one) for one in body["lines"]]
    return _moved("return", code, body, lambda: trips.give_back(viewer(), code, lines))


@blueprint.route("/<code>/counts", methods=["POST"])
@allow(*OPERATORS)
@keyed
@blueprint.arguments(CountIn)
@blueprint.response(201, ChangedOut)
def counts(body: dict[str, Any], code: str) -> Any:
    """Write a stock-take down; the answer has the differences."""
    lines = [trips.CountLine(**one) for one in body["lines"]]
    return _moved("count", code, body, lambda: trips.take_stock(viewer(), code, lines))


@blueprint.route("/<code>/stock", methods=["GET"])
@allow(*OPERATORS)
@blueprint.response(200, OperatedOut)
def stock(code: str) -> dict[str, Any]:
    """Show a cabinet to its operator: expected stock, differences and missing reports."""
    cabinet = operated(viewer(), code)
    state = queries.state_of(cabinet)
    return {
        "code": state.code,
        "last_seen_at": state.last_seen_at,
        "temperature_tenths": state.temperature_tenths,
        "conflicts": state.conflicts,
        "slots": state.slots,
        "differences": queries.differences_of(cabinet.id),
        "missing": queries.gaps_of(cabinet.id),
    }


@blueprint.route("/<code>/differences/<difference>", methods=["PUT"])
@allow(*OPERATORS)
@blueprint.arguments(ExplainIn)
@blueprint.response(200, DifferenceOut)
def difference(body: dict[str, Any], code: str, difference: str) -> Any:
    """Say why a difference came about."""
    return reports.explain(viewer(), code, difference, body["explanation"])


@blueprint.route("", methods=["GET"])
@allow.everyone
@blueprint.arguments(SitesQuery, location="query")
@blueprint.response(200, SitesOut)
def sites(query: dict[str, Any]) -> Any:
    """List sites with their cabinets and what is in them."""
    return queries.public_sites(query["cursor"])


@blueprint.route("/<code>", methods=["GET"])
@allow.everyone
@blueprint.response(200, CabinetOut)
def cabinet(code: str) -> Any:
    """Show what is in one cabinet."""
    return queries.public_cabinet(code)[1]
