"""The page that shows the API: paths, parameters, schemas and problem codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Blueprint, current_app, render_template
from flask.typing import ResponseReturnValue

from kernel.access import allow
from kernel.errors import Refusal
from marketplace.refusals import CODES

blueprint = Blueprint("api_docs", __name__)

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path, as the OpenAPI document describes it."""

    method: str
    path: str
    summary: str
    parameters: list[Mapping[str, Any]]
    body: str
    answers: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Problem:
    """One stable code, the status it comes with, and what it says."""

    code: str
    status: int
    text: str


@blueprint.get("/api/docs")
@allow.everyone
def show() -> ResponseReturnValue:
    """Show the API from its own OpenAPI document, made on the server."""
    document = _document()
    return render_template(
        "api/docs.html",
        groups=_groups(document),
        about={tag["name"]: tag.get("description", "") for tag in document.get("tags", [])},
        schemas=document.get("components", {}).get("schemas", {}),
        problems=sorted(_problems().values(), key=lambda one: (one.status, one.code)),
        type_name=type_name,
    )


def _document() -> dict[str, Any]:
    [api] = current_app.extensions["flask-smorest"]["apis"].values()
    described: dict[str, Any] = api["ext_obj"].document
    return described


def _groups(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Return operations by tag, in the document's order."""
    groups: dict[str, list[Operation]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                tag = item[method].get("tags", [path])[0]
                groups.setdefault(tag, []).append(_operation(path, method, item))
    return groups


def _operation(path: str, method: str, item: Mapping[str, Any]) -> Operation:
    described = item[method]
    return Operation(
        method.upper(),
        path,
        described.get("summary", ""),
        [*item.get("parameters", []), *described.get("parameters", [])],
        _content(described.get("requestBody", {})),
        [
            (status, _content(answer))
            for status, answer in described.get("responses", {}).items()
            if int(status) < HTTPStatus.BAD_REQUEST  # the page says once how refusals look
        ],
    )


def _content(part: Mapping[str, Any]) -> str:
    """Return the name of the schema of a body, '' without one."""
    for media in part.get("content", {}).values():
        return type_name(media.get("schema", {}))
    return ""


def type_name(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words: its name, its values, or its type."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(one) for one in schema["enum"] if one is not None)
    kind = schema.get("type", "")
    if kind == "array" or (isinstance(kind, list) and "array" in kind):
        return f"[{type_name(schema.get('items', {}))}]"
    if isinstance(kind, list):
        kind = " | ".join(kind)
    return f"{kind} ({schema['format']})" if "format" in schema else str(kind)


def _problems() -> dict[str, Problem]:
    known = {code: Problem(code, status, "") for status, code in CODES.items()}
    for one in _refusals(Refusal):
        known[one.code] = Problem(one.code, one.status, str(one.message))
    return known


def _refusals(kind: type[Refusal]) -> Iterator[type[Refusal]]:
    yield kind
    for lower in kind.__subclasses__():
        yield from _refusals(lower)
