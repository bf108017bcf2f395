"""The parts of the OpenAPI description that FastAPI cannot derive from the code."""

from __future__ import annotations

from typing import Any

from adair.serve.codec import MEDIA_TYPES
from adair.serve.forms import FORM

PROMETHEUS = "text/plain; version=0.0.4"

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_ERROR = {
    "application/json": {
        "schema": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]}
    }
}
Responses = dict[int | str, dict[str, Any]]


def _errors(texts: dict[int, str]) -> Responses:
    return {status: {"description": text, "content": _ERROR} for status, text in texts.items()}


REFUSALS = _errors(
    {
        400: "The request is malformed or for another host, or the upload cannot be read as an image.",
        401: "The token is missing or wrong.",
        403: "The request comes from a web page of another origin.",
    }
)
RESTORE_RESPONSES: Responses = {
    200: {"description": "The restored image.", "content": dict.fromkeys(MEDIA_TYPES.values(), _BYTES)},
    **REFUSALS,
    **_errors(
        {
            408: "The upload did not arrive in time.",
            413: "The upload or the image exceeds the server's limits.",
            422: "A task, a scale or another value is invalid.",
            429: "The server is full; Retry-After says when to try again.",
            500: "A defect of the server or of one of its adapters.",
            503: "Not enough memory or time, or the server is shutting down; Retry-After says when to try again.",
        }
    ),
}
READY_RESPONSES = {**REFUSALS, **_errors({503: "The server is shutting down."})}
METRICS_RESPONSES: Responses = {
    200: {"description": "Prometheus' text format.", "content": {"text/plain": {"schema": {"type": "string"}}}},
    **REFUSALS,
}
_FORM = {
    "schema": {
        "type": "object",
        "properties": {
            "image": _BYTES["schema"],
            "mask": {
                **_BYTES["schema"],
                "description": "An image of the same size: white is restored, black stays bit-identical.",
            },
        },
        "required": ["image"],
        "additionalProperties": False,
    }
}
IMAGE_BODY = {
    "description": "The bytes of an image file, or a form with an image and a mask; the content decides the format.",
    "required": True,
    "content": {"application/octet-stream": _BYTES, **dict.fromkeys(MEDIA_TYPES.values(), _BYTES), FORM: _FORM},
}
