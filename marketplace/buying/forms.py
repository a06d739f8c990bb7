"""What people type to buy."""

from __future__ import annotations

import re
import secrets

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from wtforms import FieldList, HiddenField, IntegerField, RadioField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length, Regexp
from wtforms.widgets import HiddenInput

from kernel.forms import Form
from kernel.text import PHONE, cleaned, plain
from orders.model import PaymentMethod
from orders.placing import MAX_LINES, Recipient

_ADDRESS = ("name", "phone", "city", "address")
_UNITS = re.compile(r"[1-9][0-9]{0,7}")


def _text(label: LazyString, most: int, missing: LazyString) -> StringField:
    rules = [DataRequired(missing), Length(max=most)]
    return StringField(label, validators=rules, filters=[cleaned])


class CheckoutForm(Form):
    """Where it goes and how it is paid.

    It carries what was shown (lines and total) and a key, so that sending it again, also after
    the cart has been emptied, does the same once more: nothing.
    """

    name = _text(_l("收货人"), 40, _l("填收货人。"))
    phone = StringField(
        _l("电话"),
        validators=[
            DataRequired(_l("填电话，送货时用。")),
            Regexp(PHONE, message=_l("电话像是少了几位，例如 13800000000。")),
        ],
        filters=[plain],
    )
    city = _text(_l("城市"), 40, _l("填城市，例如 韶关市。"))
    address = _text(_l("详细地址"), 120, _l("填街道、小区和门牌。"))
    payment = RadioField(
        _l("怎么付"),
        choices=[
            SelectChoice(PaymentMethod.STRIPE.value, _l("在线支付")),
            SelectChoice(PaymentMethod.TRANSFER.value, _l("对公转账")),
        ],
        default=PaymentMethod.STRIPE.value,
        validators=[InputRequired(_l("选一种付款方式。"))],
    )
    lines = FieldList(HiddenField(), min_entries=0, max_entries=MAX_LINES)
    total_fen = IntegerField(widget=HiddenInput(), validators=[InputRequired()])
    idempotency_key = HiddenField(validators=[InputRequired(), Length(max=64)])

    def begin(self, wanted: dict[str, int], recipient: Recipient | None) -> None:
        """Fill in what is to be bought, a fresh key, and where the last order went."""
        self.renew()
        for offer, units in wanted.items():
            self.lines.append_entry(f"{offer}:{units}")
        if recipient is not None:
            for name in _ADDRESS:
                self[name].data = getattr(recipient, name)

    def renew(self) -> None:
        """Take a fresh key: sent again, it is another order."""
        self.idempotency_key.data = secrets.token_urlsafe(18)

    def recipient(self) -> Recipient:
        """Return where it goes, as it was typed."""
        return Recipient(**{name: str(self[name].data) for name in _ADDRESS})

    def wanted(self) -> dict[str, int]:
        """Return what was shown when the form was made: offer public id → units."""
        pairs = (str(one.data or "").partition(":") for one in self.lines)
        return {offer: int(units) for offer, _, units in pairs if _UNITS.fullmatch(units)}
