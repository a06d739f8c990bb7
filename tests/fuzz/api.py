"""The API, fuzzed from its own OpenAPI document by schemathesis, in process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import schemathesis
from flask import Flask
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import CheckFailureInfo
from schemathesis.generation import GenerationMode

from tests.fuzz.callers import Callers, luck

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
)
"""What schemathesis holds every answer against; `refusals_are_problems` comes to it."""


@schemathesis.check
def refusals_are_problems(_context: Any, response: Any, _case: Any) -> bool | None:
    """Every refusal is a problem document with a stable code, and a 422 names its fields."""
    if response.status_code < 400:
        return None
    kind = response.headers.get("content-type", [""])[0]
    assert kind.startswith("application/problem+json"), f"a refusal came as {kind}"
    said = response.json()
    assert said["status"] == response.status_code
    assert said["code"].replace("_", "").isalnum(), said
    assert said["detail"], said
    if said["code"] == "invalid":
        assert said.get("fields"), f"nothing says which field is wrong: {said}"
    return None


def fuzz(app: Flask, callers: Callers, **budget: int) -> Iterator[str]:
    """Run every phase within `budget` and yield what was found, each fault once."""
    app.extensions["callers"] = callers
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=_config(**budget))
    seen: set[tuple[str | None, str]] = set()
    for event in from_schema(schema).execute():
        if isinstance(event, events.FatalError):
            raise event.exception
        if isinstance(event, events.NonFatalError):
            yield f"{event.label}: {event.value!r}"
        if isinstance(event, events.ScenarioFinished):
            for info in _failed(event):
                kind = (info.failure.operation, info.failure.title)
                if kind not in seen and not _is_allowed(info):
                    seen.add(kind)
                    yield "\n".join((*map(str, kind), info.failure.message, info.code_sample))


def _failed(event: events.ScenarioFinished) -> Iterator[CheckFailureInfo]:
    for checks in event.recorder.checks.values():
        yield from (check.failure_info for check in checks if check.failure_info)


def _is_allowed(info: CheckFailureInfo) -> bool:
    """Tell whether a case that was called wrong is not.

    Its name in the path became a real one; or a form with files was said to be wrong in a part
    that no form can write; or a member is of another type that means the same ("5" for 5, 0 for
    false), which the parser takes for what it means.
    """
    message, sent = info.failure.message, info.code_sample
    lenient = "in path - " in message or "multipart/form-data" in sent
    called_wrong = info.failure.title == "Schema-violating request accepted"
    return called_wrong and (lenient or "Incorrect type" in message)


def _config(*, seconds: int, seed: int) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": seed,
            "max-time": seconds,
            "cache": {"enabled": False},
            "continue-on-failure": True,
            "suppress-health-check": ["all"],
            "generation": {"deterministic": True, "database": "none", "no-shrink": True},
            "checks": {"enabled": False, **{name: {"enabled": True} for name in CHECKS}},
        }
    )


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Let somebody call, about something that exists, unless the case means to be wrong."""
    callers: Callers = case.operation.app.extensions["callers"]
    method, path = case.operation.method.upper(), case.operation.path
    seed = luck(path, case.path_parameters, case.query, case.body)
    case.headers = {**(case.headers or {}), **callers.authorization(method, path, seed)}
    if case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE:
        case.path_parameters = callers.named(path, case.path_parameters or {}, seed)
        case.body = callers.filled(case.body, seed)
