"""What kinds of places, differences and alarms are called on pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from cabinets.queries import CabinetState
from kernel.language import counted

SILENT_AFTER = timedelta(minutes=30)
"""A cabinet that is not heard for so long may be off or without a network."""
TOO_WARM_TENTHS = 100
"""Above ten degrees chilled food does not keep."""

SITES: Mapping[str, LazyString] = {
    "office": _l("机关"),
    "hospital": _l("医院"),
    "school": _l("学校"),
    "public": _l("公共场所"),
}
REASONS: Mapping[str, LazyString] = {
    "damaged": _l("破损"),
    "expired": _l("过期或变质"),
    "missing": _l("少了，找不到"),
    "found": _l("多出来的"),
    "miscount": _l("上次数错"),
}
DIFFERENCES: Mapping[str, LazyString] = {
    **REASONS,
    "unknown_slot": _l("上报了没有的货道"),
    "no_offer": _l("没选货的货道卖出"),
    "unplaced": _l("换货前还是换货后卖的，还说不准"),
    "late_sale": _l("换货以后才报来的销售"),
    "deficit": _l("卖出的比应有的多"),
    "sequence_conflict": _l("同一序号报了不同内容"),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something about a cabinet that waits for somebody: the colour of its tag, words, icon."""

    kind: str
    text: str
    icon: str


def alarms(state: CabinetState, at: datetime) -> list[Alarm]:
    """Return what is wrong with a cabinet at `at`, the gravest first."""
    found = []
    if state.last_seen_at is None:
        found.append(Alarm("field", _("还没联网"), "wifi-off"))
    elif at - state.last_seen_at > SILENT_AFTER:
        found.append(Alarm("wrong", _("失去联系"), "wifi-off"))
    if state.temperature_tenths is not None and state.temperature_tenths > TOO_WARM_TENTHS:
        found.append(Alarm("wrong", _("温度偏高"), "temperature"))
    if state.conflicts:
        found.append(Alarm("wrong", counted("%(n)s 条上报矛盾", state.conflicts), "alert-triangle"))
    if state.open_differences:
        found.append(
            Alarm("wrong", counted("%(n)s 处差异待说明", state.open_differences), "alert-triangle")
        )
    if state.missing:
        found.append(Alarm("field", counted("缺 %(n)s 条上报", state.missing), "hourglass"))
    if state.empty:
        found.append(Alarm("field", counted("%(n)s 个货道空着", state.empty), "package"))
    return found
