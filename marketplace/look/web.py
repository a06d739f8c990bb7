"""The page of parts: every component through the macros that the pages use, with sample content.

It is for those who build pages and is not registered in production.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from kernel import clock
from kernel.access import allow
from kernel.quantity import FAR_OFF
from marketplace.filters import jin, moment
from marketplace.look.forms import SampleForm
from marketplace.storefront.queries import FairDay

blueprint = Blueprint("look", __name__)


@dataclass(frozen=True)
class SampleOffer:
    """What a product card reads of an offer."""

    public_id: str
    name_zh: str
    name_en: str
    category: str
    picture: str
    price_fen: int
    unit_name: str
    unit_g: int
    places: tuple[str, ...]
    left: int = 20
    photo: str | None = None

    def is_open(self, at: datetime) -> bool:
        """Samples are always on sale."""
        return at.tzinfo is not None


@dataclass(frozen=True)
class Step:
    """One step of a way: its title, a note, and '', 'now' or 'done'."""

    title: str
    note: str = ""
    state: str = ""


OFFERS = (
    SampleOffer(
        "a", "金丝皇菊", "Golden-silk chrysanthemum", "tea", "chrysanthemum.webp", 6800, "罐", 50,
        ("秀山县", "隘口镇"),
    ),
    SampleOffer(
        "b", "山茶油", "Camellia oil", "oil", "olive.webp", 7800, "瓶", 500, ("乐昌市", "秀水镇"),
    ),
    SampleOffer(
        "c", "鸭梨", "Ya pear", "fruit", "pear.webp", 3900, "箱", 5000, ("饶阳县",),
    ),
    SampleOffer(
        "d", "大球盖菇", "Wine-cap mushroom", "mushroom", "mushroom.svg", 1200, "斤", 500,
        ("万州区", "草盘村"), left=0,
    ),
)  # fmt: skip


def _order_way() -> list[Step]:
    return [
        Step(_("已付款"), moment(clock.now() - timedelta(days=3)), "done"),
        Step(_("已采收"), _("实收 %(weight)s", weight=jin(4900)), "done"),
        Step(_("正在送"), "", "now"),
        Step(_("已签收"), _("到了点一下，少了坏了在这里说")),
    ]


def _fair() -> list[FairDay]:
    first = clock.today()
    kinds = {0: ["live"], 2: ["closing"], 4: ["harvest"], 6: ["handover"]}
    return [FairDay(first + timedelta(days=n), kinds.get(n, [])) for n in range(7)]


@blueprint.get("/parts")
@allow.everyone
def parts() -> ResponseReturnValue:
    """Every component once, in each of its states."""
    form = SampleForm(data={"weight": "1185", "pay": "alipay"})
    form.weight.errors = [_("任务是 %(task)s 斤，是不是 %(guess)s？", task="120", guess="118.5")]
    return render_template(
        "look/parts.html",
        offers=OFFERS,
        form=form,
        order_way=_order_way(),
        round_way=[
            Step(_("种了什么"), "", "done"),
            Step(_("有多少"), "", "now"),
            Step(_("卖多少钱")),
        ],
        days=_fair(),
        soon=clock.now() + timedelta(minutes=42),
        later=clock.now() + timedelta(days=2, hours=2, minutes=8),
        past=clock.now() - timedelta(hours=1),
    )


@blueprint.get("/parts/work")
@allow.everyone
def parts_work() -> ResponseReturnValue:
    """The frame of a workspace."""
    return render_template("look/work.html")


@blueprint.get("/parts/household")
@allow.everyone
def parts_household() -> ResponseReturnValue:
    """The frame of a household's page."""
    return render_template("look/household.html", far_off=FAR_OFF)


@blueprint.get("/parts/board")
@allow.everyone
def parts_board() -> ResponseReturnValue:
    """The frame of a broadcast's board."""
    return render_template("look/board.html")
