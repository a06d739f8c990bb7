"""Refusals in Stripe's shape."""

from typing import Any


class ApiError(Exception):
    """A refusal, answered as `{"error": {...}}`.

    `executed` says whether the request got past the check of its parameters: only then does
    Stripe keep the answer under the idempotency key.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.kind = kind
        self.executed = executed

    def body(self) -> dict[str, Any]:
        """Give the answer's body."""
        error: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


def missing_param(param: str) -> ApiError:
    """Say that a required parameter is not there."""
    return ApiError(400, f"Missing required param: {param}.", code="parameter_missing", param=param)


def unknown_param(param: str) -> ApiError:
    """Say that a parameter is not known here."""
    return ApiError(
        400, f"Received unknown parameter: {param}", code="parameter_unknown", param=param
    )


def invalid_param(param: str, message: str, code: str | None = None) -> ApiError:
    """Say that a parameter's value does not do."""
    return ApiError(400, message, code=code, param=param)


def no_such(kind: str, object_id: str, *, param: str = "id", status: int = 404) -> ApiError:
    """Say that no object has this id."""
    message = f"No such {kind}: '{object_id}'"
    return ApiError(status, message, code="resource_missing", param=param)


def refused(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    """Refuse what was asked properly but cannot be done in the present state."""
    return ApiError(400, message, code=code, param=param, executed=True)
