"""A form with one field of each kind."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, FileField, RadioField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired

from kernel.forms import Form


class SampleForm(Form):
    """One field of each kind."""

    weight = StringField(_l("实收多少斤"), validators=[InputRequired()])
    name = StringField(_l("怎么称呼你"))
    kind = SelectField(
        _l("是什么"),
        choices=[SelectChoice("fruit", _l("水果")), SelectChoice("eggs", _l("蛋"))],
        validators=[InputRequired()],
    )
    pay = RadioField(
        _l("怎么付"),
        choices=[SelectChoice("alipay", _l("支付宝")), SelectChoice("transfer", _l("对公转账"))],
    )
    story = TextAreaField(_l("说几句"))
    agree = BooleanField(_l("收成不够时，少的部分退款"))
    file = FileField(_l("营业执照"))
