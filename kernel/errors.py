"""Refusals: named errors that say what happened and what to do next.

They are raised anywhere and turned into HTTP once, in `marketplace.refusals`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

Text: TypeAlias = str | LazyString

RETRY_AFTER_S = 5
"""After what is away had time to come back: a restart of PostgreSQL takes a few seconds."""


class Refusal(Exception):
    """A request that is refused. Nothing was changed by it.

    `code` is stable and for programs, `message` for people (what happened, what to do),
    `fields` names the inputs at fault, `extra` holds further members of the problem document.
    """

    status = 400
    code = "refused"
    message: Text = _l("这一步没有做成，什么都没有改。返回检查后再试。")

    def __init__(
        self,
        message: Text | None = None,
        *,
        code: str | None = None,
        fields: Mapping[str, Text] | None = None,
        **extra: Any,
    ) -> None:
        if message is not None:
            self.message = message
        if code is not None:
            self.code = code
        self.fields: dict[str, Text] = dict(fields or {})
        self.extra = extra
        super().__init__(self.code)


class Invalid(Refusal):
    """Input that cannot be read or is out of bounds; `fields` says which and why."""

    status = 422
    code = "invalid"
    message = _l("有几处没有填对，改好后再提交。")


class NotFound(Refusal):
    """It does not exist, or this viewer may not know that it does."""

    status = 404
    code = "not_found"
    message = _l("没有找到。可能已经下架，或者网址不完整。")


class SignInNeeded(Refusal):
    """The viewer has to sign in first."""

    status = 401
    code = "sign_in_needed"
    message = _l("请先登录，再做这一步。")


class Denied(Refusal):
    """The viewer is known and may not do this."""

    status = 403
    code = "denied"
    message = _l("你没有做这一步的权限。需要的话，请联系本单位联系人或平台。")


class FactorNeeded(Denied):
    """Staff move money here, and have to show their second factor first."""

    code = "second_factor_needed"
    message = _l(
        "这一步要动钱，先做第二重验证：在网页上填手机里的验证码；"
        "程序带上 code 用 POST /api/v1/tokens 换一个新的令牌，再做一次。"
    )


class SecondPersonNeeded(Denied):
    """Whoever proposed it cannot be the one who approves it."""

    code = "second_person_needed"
    message = _l("自己提的要由另一位工作人员批准。请同事登录后到“待批准”里处理。")


class Conflict(Refusal):
    """The thing is not in a state in which this can be done."""

    status = 409
    code = "conflict"
    message = _l("这里刚刚有变化，刷新后再看一次。")


class OutOfStock(Conflict):
    """Less is left than was asked for; `extra` has offer_id and left."""

    code = "out_of_stock"
    message = _l("剩下的不够了。减少数量，或者看看别的。")


class LimitReached(Conflict):
    """The buyer would take more than the limit per buyer."""

    code = "limit_reached"
    message = _l("超过了每人限购的数量。减少数量后再提交。")


class OfferClosed(Conflict):
    """The offer is not on sale now: not yet, no longer, or withdrawn."""

    code = "offer_closed"
    message = _l("这件现在不能买：还没开始，或者已经截止。")


class KeyReused(Conflict):
    """An idempotency key came again with another body."""

    code = "idempotency_key_reused"
    message = _l("这一步刚才已经用别的内容提交过，这一次没有做。看看现在的样子，还要改就再交一次。")


class KeyMissing(Refusal):
    """A write of money or stock came without an idempotency key."""

    code = "idempotency_key_missing"
    message = _l("缺少 Idempotency-Key。为这一次操作起一个唯一的键，重试时用同一个。")


class TooMany(Refusal):
    """Too many tries in a short time; `extra` has retry_after_s."""

    status = 429
    code = "too_many_tries"
    message = _l("试得太频繁了。过几分钟再试。")


class Unavailable(Refusal):
    """Something that we need has no answer now; trying after `extra["retry_after_s"]` can help."""

    status = 503
    code = "unavailable"
    message = _l("对方暂时没有应答，什么都没有改。过一会儿再试。")

    def __init__(self, message: Text | None = None, *, code: str | None = None) -> None:
        super().__init__(message, code=code, retry_after_s=RETRY_AFTER_S)
