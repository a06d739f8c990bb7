"""Forms of households and benefit plans."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import DateField
from wtforms.validators import InputRequired, Optional

from kernel.forms import Form
from sellers.actions import HouseholdFacts
from sellers.forms.inputs import (
    PercentField,
    WholeField,
    account_number,
    phone_number,
    pick,
    text,
)
from sellers.model import HouseholdStatus
from sellers.words import HOUSEHOLD_STATUSES, PLAN_KINDS


class HouseholdForm(Form):
    """A household; personal fields that stay empty are kept as they are."""

    number = text(_l("户号"), 10, needed=_l("写上户号，如 017。"))
    status = pick(_l("类别"), HOUSEHOLD_STATUSES, validators=[InputRequired()])
    status_evidence = text(_l("认定依据"), 200)
    status_until = DateField(_l("有效期到"), validators=[Optional()])
    name = text(_l("户主姓名"), 40)
    phone = phone_number(_l("电话"))
    bank_account = account_number(_l("收款账号"))
    share_weight = WholeField(_l("份数"), validators=[Optional()], default=1)
    steward_login = text(_l("帮扶责任人的登录名"), 80)

    def facts(self, steward_id: int | None) -> HouseholdFacts:
        """Return what was typed, in the care of `steward_id`."""
        return HouseholdFacts(
            number=self.number.data,
            status=HouseholdStatus(self.status.data),
            status_evidence=self.status_evidence.data,
            status_until=self.status_until.data,
            name=self.name.data or None,
            phone=self.phone.data or None,
            bank_account=self.bank_account.data or None,
            share_weight=self.share_weight.data or 1,
            steward_id=steward_id,
        )


class RevealForm(Form):
    """Why personal data is looked at."""

    reason = text(_l("为什么要看"), 200, needed=_l("写明为什么要看，会留下记录。"), anchor="why")


class PlanForm(Form):
    """How income reaches households."""

    kind = pick(_l("方式"), PLAN_KINDS, validators=[InputRequired()])
    basis_points = PercentField(
        _l("比例（百分之）"), validators=[InputRequired(_l("写百分之几，如 80。"))]
    )
    note_zh = text(_l("说明"), 200)
    starts_on = DateField(_l("从哪天起"), validators=[Optional()])
