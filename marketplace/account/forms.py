"""What people type to sign in and to register."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import DataRequired, EqualTo, InputRequired, Length

from kernel.forms import Form


class SignInForm(Form):
    """A login, a password, and the page to go on to."""

    login = StringField(_l("登录名"), validators=[InputRequired(_l("填登录名。")), Length(max=80)])
    password = PasswordField(
        _l("密码"), validators=[InputRequired(_l("填密码。")), Length(max=200)]
    )
    next = HiddenField()

    def pair(self) -> tuple[str, str]:
        """Return what was typed as login and password."""
        return str(self.login.data or ""), str(self.password.data or "")


class RegisterForm(SignInForm):
    """A new consumer's account."""

    name = StringField(
        _l("怎么称呼你"),
        validators=[
            DataRequired(_l("填一个称呼，不必是真名。")),
            Length(max=40, message=_l("称呼最多 40 个字。")),
        ],
    )
    login = StringField(
        _l("登录名"),
        validators=[
            InputRequired(_l("填登录名。")),
            Length(min=3, max=80, message=_l("登录名用 3 到 80 个字母、数字或符号，不含空格。")),
        ],
    )
    password = PasswordField(
        _l("密码"),
        validators=[
            InputRequired(_l("填密码。")),
            Length(min=8, max=200, message=_l("密码至少 8 个字符。")),
        ],
    )
    again = PasswordField(
        _l("再填一次密码"),
        validators=[
            InputRequired(_l("填密码。")),
            EqualTo("password", _l("两次填的不一样，再填一次。")),
        ],
    )


class PasswordForm(Form):
    """Another password, by whoever knows the present one."""

    present = PasswordField(
        _l("现在的密码"), validators=[InputRequired(_l("填密码。")), Length(max=200)]
    )
    password = PasswordField(
        _l("新密码"),
        validators=[
            InputRequired(_l("填密码。")),
            Length(min=8, max=200, message=_l("密码至少 8 个字符。")),
        ],
    )
    again = PasswordField(
        _l("再填一次新密码"),
        validators=[
            InputRequired(_l("填密码。")),
            EqualTo("password", _l("两次填的不一样，再填一次。")),
        ],
    )
