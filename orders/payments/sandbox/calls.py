"""How an API call is carried out: key, faults, idempotency, one transaction, one answer."""

import copy
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from flask import Response, current_app, g, request

from orders.payments.sandbox.config import API_VERSION
from orders.payments.sandbox.errors import ApiError, invalid_param, no_such
from orders.payments.sandbox.ids import new_id
from orders.payments.sandbox.lists import expand
from orders.payments.sandbox.params import Shape, check, decode
from orders.payments.sandbox.state import Caller, Fault, Sandbox
from orders.payments.sandbox.store import Answer, Body, Record
from orders.payments.sandbox.sweep import sweep

KEY_LONGEST = 255

View = Callable[..., Body]


def the_sandbox() -> Sandbox:
    """Give the sandbox that the current request talks to."""
    sandbox: Sandbox = current_app.extensions["sandbox"]
    return sandbox


def find(sandbox: Sandbox, kind: str, object_id: str) -> Record:
    """Give the object that a request names. Raises ApiError (404) when there is none."""
    record = sandbox.store.find(kind, object_id)
    if record is None:
        raise no_such(kind, object_id)
    return record


def require_key() -> None:
    """Raise ApiError (401) unless the request carries the sandbox's secret key."""
    given = _given_key()
    if given is None:
        raise ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    if not hmac.compare_digest(given.encode(), the_sandbox().config.api_key.encode()):
        shown = f"{given[:8]}{'*' * max(len(given) - 12, 4)}{given[-4:]}"
        raise ApiError(401, f"Invalid API Key provided: {shown}")


def _given_key() -> str | None:
    header = request.authorization
    if header is None:
        return None
    return header.token if header.type == "bearer" else header.username


def api_call(shape: Shape) -> Callable[[View], Callable[..., Response]]:
    """Make a view of `(sandbox, values, **ids)` an API endpoint that takes these parameters."""

    def decorate(view: View) -> Callable[..., Response]:
        @wraps(view)
        def call(**ids: str) -> Response:
            key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
            if key is None:
                return _with_fault(lambda: _run(shape, view, ids, None))
            if not 0 < len(key) <= KEY_LONGEST:
                raise invalid_param("Idempotency-Key", "Idempotency keys have 1 to 255 characters.")
            with _claimed(key):
                return _with_fault(lambda: _once(shape, view, ids, key))

        return call

    return decorate


@contextmanager
def _claimed(key: str) -> Iterator[None]:
    sandbox = the_sandbox()
    with sandbox.lock:
        if key in sandbox.in_flight:
            raise ApiError(
                409,
                "There is currently another in-progress request using this Idempotent Key (that "
                "probably means you submitted twice, and the other request is still going "
                f"through): {key}. Please try again later.",
                code="idempotency_key_in_use",
                kind="idempotency_error",
            )
        sandbox.in_flight.add(key)
    try:
        yield
    finally:
        with sandbox.lock:
            sandbox.in_flight.discard(key)


def _with_fault(carry_out: Callable[[], Response]) -> Response:
    """Carry a call out, or let it go wrong as a control call has asked."""
    sandbox = the_sandbox()
    fault = sandbox.take_fault(request.method, request.path)
    if fault is None:
        return carry_out()
    sandbox.stopping.wait(fault.delay_s)
    if fault.status is None:
        return carry_out()
    if fault.executed:
        carry_out()
    return _faulty(fault, fault.status)


def _faulty(fault: Fault, status: int) -> Response:
    return Response(fault.body, status, content_type="application/json")


def _once(shape: Shape, view: View, ids: dict[str, str], key: str) -> Response:
    sandbox = the_sandbox()
    fingerprint = _fingerprint()
    with sandbox.transaction():
        sweep(sandbox)
        kept = sandbox.store.answer(key)
    if kept is not None:
        if kept.fingerprint != fingerprint:
            raise ApiError(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were "
                f"first used with. Try using a key other than '{key}' if you meant to execute a "
                "different request.",
                kind="idempotency_error",
            )
        response = _response(kept.status, kept.body)
        response.headers["Idempotent-Replayed"] = "true"
        return response
    try:
        return _run(shape, view, ids, key)
    except ApiError as error:
        if error.executed:
            with sandbox.transaction():
                text = _text(error.body())
                answer = Answer(fingerprint, error.status, text)
                sandbox.store.keep_answer(key, answer, sandbox.now())
        raise


def _fingerprint() -> str:
    pairs = sorted(request.form.items(multi=True))
    text = json.dumps([request.method, request.path, pairs])
    return hashlib.sha256(text.encode()).hexdigest()


def _run(shape: Shape, view: View, ids: dict[str, str], key: str | None) -> Response:
    sandbox = the_sandbox()
    source = request.form if request.method == "POST" else request.args
    values = check(decode(source.items(multi=True)), shape)
    paths = values.pop("expand", [])
    with sandbox.transaction(Caller(g.request_id, key)):
        sweep(sandbox)
        body = copy.deepcopy(view(sandbox, values, **ids))
        text = _text(expand(sandbox, body, paths))
        if key is not None:
            sandbox.store.keep_answer(key, Answer(_fingerprint(), 200, text), sandbox.now())
    return _response(200, text)


def _text(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False, indent=2)


def _response(status: int, text: str) -> Response:
    response = Response(text, status, content_type="application/json")
    if "Idempotency-Key" in request.headers:
        response.headers["Idempotency-Key"] = request.headers["Idempotency-Key"]
    return response


def error_response(error: ApiError) -> Response:
    """Answer with a refusal."""
    return _response(error.status, _text(error.body()))


def name_request() -> None:
    """Give the request its id."""
    g.request_id = new_id("req_", 14)


def sign_answer(response: Response) -> Response:
    """Put Stripe's headers on an answer."""
    response.headers["Request-Id"] = g.get("request_id") or new_id("req_", 14)
    response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", API_VERSION)
    return response
