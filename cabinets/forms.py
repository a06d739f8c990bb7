"""What operators fill in: sites, cabinets, and one line for each slot of a trip or a count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flask_babel import lazy_gettext as _l
from wtforms import IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Optional

from cabinets.actions.sites import MAX_CAPACITY, MAX_SLOTS, SITE_KINDS, CabinetFacts, SiteFacts
from cabinets.actions.trips import CountLine, ReturnLine, TripLine
from cabinets.queries import SlotStock
from cabinets.words import SITES
from kernel.errors import Invalid, Text
from kernel.forms import Form, between
from kernel.money import Money, parse_yuan
from kernel.quantity import parse_units

WHOLE = _l("填 %(least)s 到 %(most)s 的整数。", least="0", most=f"{MAX_CAPACITY:,}")
PRICE = _l("写上价格，例如 5.00。")


class SiteForm(Form):
    """A place where cabinets stand."""

    name_zh = StringField(_l("点位名称"), [DataRequired(), Length(max=80)])
    name_en = StringField(_l("英文名称"), [Optional(), Length(max=120)])
    city = StringField(_l("城市"), [DataRequired(), Length(max=20)])
    kind = SelectField(
        _l("什么地方"), choices=[SelectChoice(kind, SITES[kind]) for kind in SITE_KINDS]
    )
    code = StringField(_l("编号"), [DataRequired(), Length(max=39)])
    operator = SelectField(_l("谁来运营"), [Optional()], validate_choice=False)

    def facts(self) -> SiteFacts:
        """Return what was filled in."""
        return SiteFacts(
            code=(self.code.data or "").strip(),
            kind=str(self.kind.data),
            name_zh=self.name_zh.data or "",
            name_en=self.name_en.data or "",
            city=self.city.data or "",
            operator=(self.operator.data or None) if self.operator else None,
        )


class CabinetForm(Form):
    """A cabinet at a site."""

    code = StringField(_l("编号"), [DataRequired(), Length(max=39)])
    slots = IntegerField(_l("有几个货道"), [InputRequired(), between(1, MAX_SLOTS)], default=24)
    capacity = IntegerField(
        _l("每个货道放几份"), [InputRequired(), between(1, MAX_CAPACITY)], default=8
    )

    def facts(self) -> CabinetFacts:
        """Return what was filled in."""
        return CabinetFacts(
            code=(self.code.data or "").strip(),
            slots=self.slots.data or 0,
            capacity=self.capacity.data or 0,
        )


class _Lines:
    """Reads `name-<slot number>` inputs and collects what cannot be read."""

    def __init__(self, filled: Mapping[str, str]) -> None:
        self._filled = filled
        self.wrong: dict[str, Text] = {}

    def text(self, name: str, slot: SlotStock) -> str:
        """Return what stands in an input, without blanks around it."""
        return self._filled.get(f"{name}-{slot.number}", "").strip()

    def whole(self, name: str, slot: SlotStock) -> int:
        """Return whole units; an empty input is none."""
        try:
            return parse_units(self.text(name, slot) or "0", least=0, most=MAX_CAPACITY)
        except ValueError:
            self.wrong[f"{name}-{slot.number}"] = WHOLE
            return 0

    def price(self, slot: SlotStock) -> Money:
        """Return the price of a slot, nothing when there is none that can be read."""
        try:
            amount = parse_yuan(self.text("price", slot))
        except ValueError:
            amount = Money(0)
        if not amount:
            self.wrong[f"price-{slot.number}"] = PRICE
        return amount

    def check(self) -> None:
        """Raise Invalid if anything could not be read."""
        if self.wrong:
            raise Invalid(fields=self.wrong)


def trip_lines(filled: Mapping[str, str], slots: Sequence[SlotStock]) -> list[TripLine]:
    """Return the slots into which something goes or which sell something else. Raises Invalid."""
    read, lines = _Lines(filled), []
    for slot in slots:
        units = read.whole("units", slot)
        lot, price = read.text("lot", slot) or None, None
        if lot is None and slot.lot and read.text("price", slot):
            new = read.price(slot)
            lot = slot.lot if new and new.fen != slot.price_fen else None
        if lot is not None:
            price = read.price(slot).fen
        if units or lot:
            lines.append(TripLine(slot.number, units, lot, price))
    read.check()
    return lines


def return_lines(filled: Mapping[str, str], slots: Sequence[SlotStock]) -> list[ReturnLine]:
    """Return the slots from which something comes back. Raises Invalid."""
    read = _Lines(filled)
    lines = [ReturnLine(slot.number, read.whole("units", slot)) for slot in slots]
    read.check()
    return [line for line in lines if line.units]


def count_lines(filled: Mapping[str, str], slots: Sequence[SlotStock]) -> list[CountLine]:
    """Return what was counted in each slot that was filled in. Raises Invalid."""
    read, lines = _Lines(filled), []
    for slot in slots:
        if read.text("counted", slot):
            seen = read.text("expected", slot)
            expected = int(seen) if re.fullmatch(r"-?[0-9]{1,8}", seen) else slot.expected
            counted, reason = read.whole("counted", slot), read.text("reason", slot)
            lines.append(CountLine(slot.number, expected, counted, reason))
    read.check()
    return lines
