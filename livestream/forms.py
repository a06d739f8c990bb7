"""Forms of hosts and organisers."""

from __future__ import annotations

from datetime import datetime

from flask_babel import lazy_gettext as _l
from wtforms import DateTimeLocalField, IntegerField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import (
    DataRequired,
    InputRequired,
    Length,
    Optional,
    ValidationError,
)

from kernel.clock import SHANGHAI
from kernel.forms import Form, between
from kernel.money import parse_yuan
from kernel.quantity import MAX_UNITS
from livestream.actions import MAX_ROOM_LENGTH, MAX_ROOMS, MAX_VIEWS, Pin, Plan
from livestream.model import BroadcastKind


class PlanForm(Form):
    """A broadcast before it starts. Times are those of Shanghai."""

    title_zh = StringField(_l("名称"), [DataRequired(), Length(max=80)])
    title_en = StringField(_l("英文名称"), [Optional(), Length(max=120)])
    kind = SelectField(
        _l("形式"),
        choices=[
            SelectChoice(BroadcastKind.LIVESTREAM.value, _l("直播")),
            SelectChoice(BroadcastKind.ONLINE_FAIR.value, _l("网上展销会")),
        ],
    )
    platform = StringField(_l("在哪个平台播"), [Optional(), Length(max=40)])
    outside_rooms = StringField(
        _l("平台上的房间号"), [Optional(), Length(max=MAX_ROOMS * (MAX_ROOM_LENGTH + 1))]
    )
    place_zh = StringField(_l("在哪里播"), [Optional(), Length(max=80)])
    planned_from = DateTimeLocalField(_l("计划开始"), [InputRequired()], format="%Y-%m-%dT%H:%M")
    planned_to = DateTimeLocalField(_l("计划结束"), [InputRequired()], format="%Y-%m-%dT%H:%M")

    def validate_planned_to(self, field: DateTimeLocalField) -> None:
        """The end comes after the beginning."""
        if self.planned_from.data and field.data and field.data <= self.planned_from.data:
            raise ValidationError(_l("结束要晚于开始。"))

    def plan(self) -> Plan:
        """Return what was filled in."""
        return Plan(
            title_zh=self.title_zh.data or "",
            title_en=self.title_en.data or "",
            kind=BroadcastKind(self.kind.data),
            platform=self.platform.data or "",
            place_zh=self.place_zh.data or "",
            planned_from=_in_shanghai(self.planned_from.data),
            planned_to=_in_shanghai(self.planned_to.data),
            outside_rooms=(self.outside_rooms.data or "").split(),
        )


def _in_shanghai(naive: datetime | None) -> datetime:
    assert naive is not None  # the form was validated
    return naive.replace(tzinfo=SHANGHAI)


class PinForm(Form):
    """A lot to sell in the broadcast, at its own price and quota."""

    lot = SelectField(_l("卖哪一批"), [InputRequired()], validate_choice=False)
    price_fen = StringField(_l("直播价（元）"), [DataRequired(), Length(max=16)])
    quota = IntegerField(
        _l("这一场卖多少"),
        [
            InputRequired(),
            between(1, MAX_UNITS),
        ],
    )
    limit_per_buyer = IntegerField(_l("每人限购"), [Optional(), between(1, MAX_UNITS)])

    def validate_price_fen(self, field: StringField) -> None:
        """An amount in yuan."""
        try:
            parse_yuan(field.data or "")
        except ValueError:
            raise ValidationError(_l("填金额，例如 59 或 59.50。")) from None

    def pin(self) -> Pin:
        """Return what was filled in."""
        return Pin(
            lot_public_id=str(self.lot.data),
            price_fen=parse_yuan(self.price_fen.data or "").fen,
            quota=self.quota.data or 0,
            limit_per_buyer=self.limit_per_buyer.data,
        )


class QuotaForm(Form):
    """More units of a pinned offer."""

    units = IntegerField(
        _l("再加多少"),
        [
            InputRequired(),
            between(1, MAX_UNITS),
        ],
    )


class ViewsForm(Form):
    """How many watched, as the outside platform shows it."""

    views = IntegerField(
        _l("平台显示的观看数"),
        [InputRequired(), between(0, MAX_VIEWS)],
    )


class ShareLinkForm(Form):
    """A share link and its name."""

    title_zh = StringField(_l("这个推广码叫什么"), [DataRequired(), Length(max=80)])
    offer = SelectField(_l("直接打开哪一件"), [Optional()], validate_choice=False)
