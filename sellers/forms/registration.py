"""Forms of registration and verification."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField
from wtforms import DateField
from wtforms.validators import InputRequired, Optional

from kernel.forms import Form
from sellers.actions import SellerFacts
from sellers.forms.inputs import (
    WholeField,
    account_number,
    long_text,
    phone_number,
    pick,
    text,
)
from sellers.model import SellerKind
from sellers.words import CERTIFICATES, SELLER_KINDS


class SellerForm(Form):
    """What a seller says about itself."""

    kind = pick(_l("你们是"), SELLER_KINDS, validators=[InputRequired()])
    name_zh = text(_l("名称"), 60, needed=_l("写执照上的全称。"))
    name_en = text(_l("英文名称"), 120)
    province = text(_l("省、直辖市"), 20, needed=_l("写省名，如 重庆市。"))
    city = text(_l("市"), 20, needed=_l("写市名，如 重庆市。"))
    county = text(_l("区县"), 20, needed=_l("写区县名，如 开州区。"))
    township = text(_l("乡镇"), 20)
    village = text(_l("村"), 20)
    contact_phone = phone_number(_l("联系电话"))
    bank_account = account_number(_l("收款账号"))
    households_count = WholeField(_l("带动农户"), least=0, validators=[Optional()])
    registered_count = WholeField(_l("其中脱贫户"), least=0, validators=[Optional()])
    story_zh = long_text(_l("介绍"), 600)
    story_en = long_text(_l("英文介绍"), 1200)

    def facts(self) -> SellerFacts:
        """Return what was typed; an empty phone or account stays as it is kept."""
        return SellerFacts(
            kind=SellerKind(self.kind.data),
            name_zh=self.name_zh.data,
            name_en=self.name_en.data,
            province=self.province.data,
            city=self.city.data,
            county=self.county.data,
            township=self.township.data,
            village=self.village.data,
            contact_phone=self.contact_phone.data or None,
            bank_account=self.bank_account.data or None,
            households_count=self.households_count.data or 0,
            registered_count=self.registered_count.data or 0,
            story_zh=self.story_zh.data,
            story_en=self.story_en.data,
        )


class CertificateForm(Form):
    """A paper with its photograph."""

    kind = pick(_l("证书"), CERTIFICATES, validators=[InputRequired()])
    number = text(_l("证书编号"), 60, needed=_l("照着证书写编号。"))
    issued_by = text(_l("发证机关"), 120)
    valid_until = DateField(_l("有效期到"), validators=[Optional()])
    file = FileField(_l("照片或 PDF"), validators=[InputRequired(_l("选一张照片或一份 PDF。"))])


class ReturnForm(Form):
    """Why papers are returned."""

    reason = long_text(_l("退回原因"), 300, needed=_l("写清楚要改什么，供货方会看到这句话。"))
