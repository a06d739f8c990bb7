"""What staff type to plan a round and to put offers into it."""

from __future__ import annotations

from datetime import datetime

from flask_babel import lazy_gettext as _l
from flask_babel import lazy_pgettext
from wtforms import (
    DateField,
    DateTimeLocalField,
    IntegerField,
    SelectField,
    StringField,
    ValidationError,
)
from wtforms.validators import InputRequired, Length, Optional

from kernel import clock
from kernel.forms import Form, between
from kernel.money import parse_yuan
from kernel.quantity import MAX_UNITS
from orders.actions.rounds import RoundPlan
from orders.model import Round

NEEDED = InputRequired()
FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]


def moment(typed: datetime | None) -> datetime:
    """Return what was typed as a moment on the clocks of Shanghai."""
    assert typed is not None  # the form was valid
    return typed.replace(tzinfo=clock.SHANGHAI)


class PlanForm(Form):
    """A round's words and dates."""

    title_zh = StringField(_l("名称"), [NEEDED, Length(max=80)])
    title_en = StringField(_l("英文名称"), [Optional(), Length(max=120)])
    region = StringField(_l("地区"), [Optional(), Length(max=40)])
    opens_at = DateTimeLocalField(_l("开始"), [NEEDED], format=FORMATS)
    closes_at = DateTimeLocalField(_l("截单"), [NEEDED], format=FORMATS)
    harvest_from = DateField(_l("采收第一天"), [NEEDED])
    harvest_to = DateField(_l("采收最后一天"), [NEEDED])
    handover_on = DateField(_l("交货日"), [NEEDED])
    handover_place = StringField(_l("交货地点"), [Optional(), Length(max=120)])
    pay_within_h = IntegerField(_l("关单后几小时内付款"), [NEEDED, between(1, 720)], default=48)

    def begin(self, planned: Round) -> None:
        """Fill in what the round has now."""
        for name in ("opens_at", "closes_at"):
            self[name].data = clock.local(getattr(planned, name)).replace(tzinfo=None)

    def plan(self) -> RoundPlan:
        """Return what was typed as a plan."""
        return RoundPlan(
            title_zh=str(self.title_zh.data).strip(),
            title_en=str(self.title_en.data or "").strip(),
            region=str(self.region.data or "").strip(),
            opens_at=moment(self.opens_at.data),
            closes_at=moment(self.closes_at.data),
            harvest_from=self.harvest_from.data,
            harvest_to=self.harvest_to.data,
            handover_on=self.handover_on.data,
            handover_place=str(self.handover_place.data or "").strip(),
            pay_within_h=int(self.pay_within_h.data),
        )


class OfferForm(Form):
    """A lot that is put into a round."""

    lot = SelectField(lazy_pgettext("one", "批次"), [NEEDED], choices=[])
    price = StringField(_l("价格（元）"), [NEEDED])
    quota = IntegerField(_l("这一期最多卖"), [Optional(), between(1, MAX_UNITS)])
    limit_per_buyer = IntegerField(_l("每人限购"), [Optional(), between(1, MAX_UNITS)])

    def validate_price(self, field: StringField) -> None:
        """Refuse what is no amount."""
        try:
            self.price_fen = parse_yuan(str(field.data)).fen
        except ValueError as problem:
            raise ValidationError(_l("填一个大于 0 的价格，例如 59.00。")) from problem
