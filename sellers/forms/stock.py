"""Forms of products, lots, offers and the spreadsheet."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField
from wtforms import BooleanField, DateField, StringField
from wtforms.validators import InputRequired, Optional

from kernel import clock
from kernel.forms import Form
from sellers.actions import LotFacts, OfferTerms, ProductFacts
from sellers.forms.inputs import WholeField, YuanField, pick, text
from sellers.model import Category, LotMode
from sellers.words import CATEGORIES, MODES


def end_of(day: date | None) -> datetime | None:
    """Return the moment at which `day` ends in Shanghai. Raises Invalid for a year that is none."""
    clock.check_years(closes_at=day)
    return clock.start_of_day(day + timedelta(days=1)) if day else None


def last_day(closes_at: datetime | None) -> date | None:
    """Return the last day in Shanghai on which something is sold that closes at that moment."""
    return clock.local(closes_at - timedelta(seconds=1)).date() if closes_at else None


class ProductForm(Form):
    """What is grown, and what one sale unit of it is."""

    name_zh = text(_l("产品名称"), 60, needed=_l("写上产品名称，如 春橙。"))
    name_en = text(_l("英文名称"), 120)
    category = pick(_l("分类"), CATEGORIES, validators=[InputRequired()])
    variety = text(_l("品种"), 60)
    grade = text(_l("等级"), 30)
    keeping = text(_l("怎么存放"), 120)
    unit_name = text(_l("销售单位"), 8, needed=_l("写上销售单位，如 箱、斤、枚。"))
    unit_g = WholeField(
        _l("每份重量（克）"), validators=[InputRequired(_l("写整数克，如 5 千克写 5000。"))]
    )
    weighed = BooleanField(_l("交货时按实际重量算"))
    photo = FileField(_l("照片"), validators=[Optional()])

    def product(self) -> ProductFacts:
        """Return what was typed about the product."""
        return ProductFacts(
            name_zh=self.name_zh.data,
            name_en=self.name_en.data,
            category=Category(self.category.data),
            variety=self.variety.data,
            grade=self.grade.data,
            keeping=self.keeping.data,
            unit_name=self.unit_name.data,
            unit_g=self.unit_g.data,
            weighed=bool(self.weighed.data),
        )


class LotForm(Form):
    """How much there is."""

    idempotency_key = StringField()
    mode = pick(_l("现货还是预订"), MODES, validators=[InputRequired()])
    offered = WholeField(_l("数量"), validators=[InputRequired(_l("写有多少份，如 200。"))])
    harvest_from = DateField(_l("采收开始"), validators=[Optional()])
    harvest_to = DateField(_l("采收结束"), validators=[Optional()])
    code = text(_l("批次号"), 40)

    def lot(self) -> LotFacts:
        """Return what was typed about the lot."""
        return LotFacts(
            mode=LotMode(self.mode.data),
            offered=self.offered.data,
            harvest_from=self.harvest_from.data,
            harvest_to=self.harvest_to.data,
            code=self.code.data,
        )


class QuantityForm(Form):
    """Another quantity for a lot; from the field also other days of harvest."""

    idempotency_key = StringField()
    offered = WholeField(_l("数量"), validators=[InputRequired(_l("写有多少份，如 200。"))])
    harvest_from = DateField(_l("采收开始"), validators=[Optional()])
    harvest_to = DateField(_l("采收结束"), validators=[Optional()])


class OfferForm(Form):
    """At what price and up to how many a lot is on sale."""

    idempotency_key = StringField()
    price_fen = YuanField(
        _l("单价（元）"), validators=[InputRequired(_l("写一份卖多少钱，如 59.00。"))]
    )
    quota = WholeField(_l("最多卖多少份"), validators=[Optional()])
    limit_per_buyer = WholeField(_l("每人限购"), validators=[Optional()])
    broadcast_floor_fen = YuanField(_l("直播最低价（元）"), validators=[Optional()])
    closes_at = DateField(_l("卖到哪天"), validators=[Optional()])

    def terms(self, closes_at: datetime | None = None) -> OfferTerms:
        """Return what was typed about the offer; the last day counts whole.

        `closes_at` is when it closes so far: it stays to the minute while its day stays.
        """
        day = self.closes_at.data if "closes_at" in self else None
        return OfferTerms(
            price_fen=self.price_fen.data,
            quota=self.quota.data,
            limit_per_buyer=self.limit_per_buyer.data,
            broadcast_floor_fen=self.broadcast_floor_fen.data,
            closes_at=closes_at if day and day == last_day(closes_at) else end_of(day),
        )


class StockForm(ProductForm, LotForm, OfferForm):
    """Product, lot and offer in one go."""


class SpreadsheetForm(Form):
    """A filled-in template."""

    file = FileField(_l("填好的表格"), validators=[InputRequired(_l("选填好的 .xlsx 表格。"))])
