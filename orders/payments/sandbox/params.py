"""Form-encoded parameters: brackets to nested values, then checked against a shape."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from orders.payments.sandbox.errors import ApiError, invalid_param, missing_param, unknown_param

Tree = dict[str, Any]

DEEPEST = 8
LONGEST_STRING = 5_000
LONGEST_URL = 5_000
METADATA_KEYS = 50
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500
_KEY = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")


@dataclass(frozen=True)
class Param:
    """What one parameter may be.

    `kind` is string, integer, boolean, url, list, hash, metadata or any. `of` is the shape of a
    hash, or of the hashes in a list; `each` is the shape of a list's plain items.
    """

    kind: str = "string"
    required: bool = False
    choices: tuple[str, ...] = ()
    longest: int = LONGEST_STRING
    least: int | None = None
    of: "Shape | None" = field(default=None)
    each: "Param | None" = field(default=None)


Shape = Mapping[str, Param]


def decode(pairs: Iterable[tuple[str, str]]) -> Tree:
    """Nest `a[b][0]=c` pairs; lists stay dicts keyed by their index until their shape is known.

    Raises ApiError when a name is malformed or is used both as a value and as a hash.
    """
    tree: Tree = {}
    for name, value in pairs:
        match = _KEY.match(name)
        if match is None:
            raise invalid_param(name, f"Invalid parameter name: {name}")
        path = [match.group(1), *re.findall(r"\[([^\[\]]*)\]", match.group(2))]
        if len(path) > DEEPEST:
            raise invalid_param(name, f"Invalid parameter name: {name}")
        _put(tree, path, value, name)
    return tree


def _put(tree: Tree, path: list[str], value: str, name: str) -> None:
    at = tree
    for part in path[:-1]:
        at = at.setdefault(part or str(len(at)), {})
        if not isinstance(at, dict):
            raise invalid_param(name, f"Invalid hash: {name}")
    last = path[-1] or str(len(at))
    if isinstance(at.get(last), dict):
        raise invalid_param(name, f"Invalid hash: {name}")
    at[last] = value


def check(tree: Tree, shape: Shape, prefix: str = "") -> Tree:
    """Give the typed values of a decoded tree.

    Raises ApiError for an unknown, missing or ill-typed parameter, by its full bracketed name.
    """
    for key in tree:
        if key not in shape:
            raise unknown_param(_named(prefix, key))
    values: Tree = {}
    for key, param in shape.items():
        name = _named(prefix, key)
        if key in tree:
            values[key] = _value(tree[key], param, name)
        elif param.required:
            raise missing_param(name)
    return values


def _named(prefix: str, key: str) -> str:
    return f"{prefix}[{key}]" if prefix else key


def _value(raw: Any, param: Param, name: str) -> Any:
    if param.kind == "metadata":
        return _metadata(raw, name)
    if param.kind == "any":
        return raw
    if param.kind == "hash":
        if not isinstance(raw, dict):
            raise invalid_param(name, f"Invalid object: {name} must be a hash.")
        return check(raw, param.of or {}, name)
    if param.kind == "list":
        return _list(raw, param, name)
    if not isinstance(raw, str):
        raise invalid_param(name, f"Invalid {param.kind}: {name}")
    return _scalar(raw, param, name)


def _list(raw: Any, param: Param, name: str) -> list[Any]:
    if not isinstance(raw, dict) or not all(key.isdecimal() for key in raw):
        raise invalid_param(name, f"Invalid array: {name} must be an array.")
    items = [raw[key] for key in sorted(raw, key=int)]
    item = param.each or Param("hash", of=param.of)
    return [_value(value, item, f"{name}[{place}]") for place, value in enumerate(items)]


def _scalar(raw: str, param: Param, name: str) -> str | int | bool:
    if raw == "":
        raise invalid_param(
            name,
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to "
            f"unset a parameter; however '{name}' cannot be unset.",
            "parameter_invalid_empty",
        )
    if param.kind == "integer":
        return _integer(raw, param, name)
    if param.kind == "boolean":
        if raw not in ("true", "false"):
            raise invalid_param(name, f"Invalid boolean: {raw}")
        return raw == "true"
    if param.kind == "url":
        return _url(raw, name)
    if param.choices and raw not in param.choices:
        allowed = ", ".join(param.choices)
        raise invalid_param(name, f"Invalid {name}: must be one of {allowed}")
    if len(raw) > param.longest:
        raise invalid_param(name, f"Invalid string: {name} must be at most {param.longest} long.")
    return raw


def _integer(raw: str, param: Param, name: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", raw, re.ASCII):
        raise invalid_param(name, f"Invalid integer: {raw}", "parameter_invalid_integer")
    value = int(raw)
    if param.least is not None and value < param.least:
        message = f"This value must be greater than or equal to {param.least}."
        raise invalid_param(name, message, "parameter_invalid_integer")
    return value


def _url(raw: str, name: str) -> str:
    if not is_url(raw):
        raise invalid_param(name, "Not a valid URL", "url_invalid")
    return raw


def is_url(raw: str) -> bool:
    """Say whether a text is an absolute http or https address."""
    try:
        parts = urlsplit(raw)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(raw) <= LONGEST_URL


def _metadata(raw: Any, name: str) -> dict[str, str]:
    if raw == "":
        return {}
    if not isinstance(raw, dict):
        raise invalid_param(name, f"Invalid object: {name} must be a hash.")
    if len(raw) > METADATA_KEYS:
        raise invalid_param(name, f"You can only pass {METADATA_KEYS} keys in {name}.")
    for key, value in raw.items():
        if not isinstance(value, str):
            raise invalid_param(_named(name, key), "Metadata values must be strings.")
        if len(key) > METADATA_KEY_LENGTH or len(value) > METADATA_VALUE_LENGTH:
            raise _metadata_too_long(_named(name, key))
    return dict(raw)


def _metadata_too_long(name: str) -> ApiError:
    return invalid_param(
        name,
        f"Metadata keys can be at most {METADATA_KEY_LENGTH} characters and values at most "
        f"{METADATA_VALUE_LENGTH}.",
    )
