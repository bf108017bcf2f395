"""The HTTP status of each error, and its JSON body: one line."""

from __future__ import annotations

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from adair.errors import (
    AdairError,
    AdapterMismatchError,
    FileFormatError,
    InputError,
    Interrupted,
    NonFiniteOutputError,
    OutOfMemoryError,
    TooLargeError,
    one_line,
)

RETRY_SECONDS = 2
LONGEST_LINE = 400


class UploadTimeoutError(InputError):
    """An upload that took too long to arrive."""


class BusyError(AdairError):
    """No room at the moment; a later attempt will succeed."""


class TimeLimitError(AdairError):
    """Waiting and restoring took longer than the server allows."""


STATUS: dict[type[AdairError], int] = {
    UploadTimeoutError: 408,
    TooLargeError: 413,
    FileFormatError: 400,
    InputError: 422,
    BusyError: 429,
    AdapterMismatchError: 500,
    NonFiniteOutputError: 500,
    Interrupted: 503,
    OutOfMemoryError: 503,
    TimeLimitError: 503,
    AdairError: 422,
}
"""The first matching entry along an error's base classes applies."""


def status_of(error: AdairError) -> int:
    """Return the HTTP status of ``error``: 4xx if the request is at fault, 5xx if the server is."""
    return next(STATUS[base] for base in type(error).__mro__ if base in STATUS)


def answer(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return a JSON response ``{"error": "one line"}``; 429 and 503 say when to try again."""
    headers = dict(headers or {})
    if status in (429, 503):
        headers["Retry-After"] = str(RETRY_SECONDS)
    return JSONResponse({"error": one_line(text, LONGEST_LINE)}, status, headers)


async def adair_error(request: Request, error: Exception) -> JSONResponse:
    """Response to any `AdairError`."""
    assert isinstance(error, AdairError)
    return answer(status_of(error), str(error))


async def bad_request(request: Request, error: Exception) -> JSONResponse:
    """Response to parameters that FastAPI refused: the first one, and what is wrong with it."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    return answer(422, f"{name}: {first['msg'].lower()}, not {first.get('input')!r}; see /openapi.json")


async def http_error(request: Request, error: Exception) -> JSONResponse:
    """Response to unknown paths and methods."""
    assert isinstance(error, HTTPException)
    return answer(error.status_code, f"{request.method} {request.url.path}: {error.detail}", dict(error.headers or {}))


async def unexpected(request: Request, error: Exception) -> JSONResponse:
    """Response to a defect of the server; the traceback goes to the log, never to a client."""
    return answer(500, f"unexpected {type(error).__name__}; the server's log has the details")
