"""The HTTP interface: its routes, and the path of a request from upload to response."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from adair import __version__
from adair.errors import AdairError, InputError, TooLargeError, one_line
from adair.restore.options import RestoreOptions
from adair.serve import errors, openapi
from adair.serve.access import Access
from adair.serve.codec import MEDIA_TYPES, SPELLINGS
from adair.serve.config import ServeConfig
from adair.serve.forms import read_upload
from adair.serve.service import Answer, Job, Service

CLIENT_LEFT = 499
PARAMETERS = ("task", "scale", "strength", "luma", "colour", "format", "quality")  # of /restore
Format = Literal["png", "jpeg", "jpg", "webp", "tiff", "tif", "avif", "bmp"]


def create_app(service: Service) -> FastAPI:
    """Return the ASGI application for a service, which is closed with it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    # Without the documentation pages, which load scripts from other servers.
    app = FastAPI(title="AdaIR", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    app.add_middleware(Access, config=service.config)
    app.add_exception_handler(AdairError, errors.adair_error)
    app.add_exception_handler(RequestValidationError, errors.bad_request)
    app.add_exception_handler(HTTPException, errors.http_error)
    app.add_exception_handler(Exception, errors.unexpected)
    app.add_api_route(
        "/restore",
        restore,
        methods=["POST"],
        responses=openapi.RESTORE_RESPONSES,
        response_class=Response,
        openapi_extra={"requestBody": openapi.IMAGE_BODY},
    )
    app.add_api_route("/tasks", tasks, methods=["GET"], responses=openapi.REFUSALS)
    app.add_api_route("/health", health, methods=["GET"], responses=openapi.REFUSALS)
    app.add_api_route("/ready", ready, methods=["GET"], responses=openapi.READY_RESPONSES)
    app.add_api_route(
        "/metrics", metrics, methods=["GET"], responses=openapi.METRICS_RESPONSES, response_class=Response
    )
    return app


async def restore(
    request: Request,
    task: Annotated[
        str, Query(max_length=500, examples=["denoise"], description="A task, a blend, a sequence, or auto.")
    ],
    scale: Annotated[int | None, Query(ge=1, le=4, description="For task sr: 2, 3 or 4; 1 keeps the size.")] = None,
    strength: Annotated[float, Query(ge=0, le=1, description="How much of the correction to apply.")] = 1.0,
    luma: Annotated[float, Query(ge=0, le=1, description="How much of it to apply to brightness.")] = 1.0,
    colour: Annotated[float, Query(ge=0, le=1, description="How much of it to apply to colour.")] = 1.0,
    format: Annotated[
        Format | None, Query(description="Format of the response; by default that of the upload.")
    ] = None,
    quality: Annotated[int, Query(ge=1, le=100, description="Quality of JPEG, WebP and AVIF.")] = 95,
) -> Response:
    """Restore the image in the request's body: the plain bytes of the file, or a form with an image and a mask."""
    service: Service = request.app.state.service
    start, status = time.monotonic(), 500
    try:
        _refuse_unknown(request)
        with service.admission.enter():
            options = RestoreOptions(task, scale, strength, luma=luma, colour=colour)
            order = service.order(options, None if format is None else SPELLINGS.get(format, format), quality)
            upload = read_upload(await _body(request, service.config), request.headers.get("content-type", ""))
            answer = await _wait(request, service.start(upload, order), service.config.seconds)
        status = 200
        return _response(answer)
    except AdairError as error:
        status = errors.status_of(error)
        raise
    except ClientDisconnect:
        status = CLIENT_LEFT
        return Response(status_code=CLIENT_LEFT)  # nobody receives it
    finally:
        service.metrics.requests.labels(str(status)).inc()
        service.metrics.seconds.observe(time.monotonic() - start)


def _refuse_unknown(request: Request) -> None:
    """Raise `InputError` for a misspelt parameter, which FastAPI would ignore, so that its default were used unseen."""
    unknown = next((name for name in request.query_params if name not in PARAMETERS), None)
    if unknown is not None:
        raise InputError(f"unknown parameter '{unknown}'; known: {', '.join(PARAMETERS)}")


async def _body(request: Request, config: ServeConfig) -> bytes:
    """Read the body, up to the limit."""
    too_large = TooLargeError(f"the upload has more than {config.max_megabytes:g} MB, the limit of this server")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 15 or int(announced) > config.max_bytes):
        raise too_large
    data = bytearray()
    try:
        async with asyncio.timeout(config.upload_seconds):
            async for chunk in request.stream():
                data += chunk
                if len(data) > config.max_bytes:
                    raise too_large
    except TimeoutError:
        raise errors.UploadTimeoutError(f"the upload took longer than {config.upload_seconds:g} s") from None
    return bytes(data)


async def _wait(request: Request, job: Job, seconds: float) -> Answer:
    """Wait for a job; cancel it if the client disconnects or the time is over."""
    answer = asyncio.wrap_future(job.answer)
    left = asyncio.ensure_future(_left(request))
    either: set[asyncio.Future[Any]] = {answer, left}
    try:
        done, _ = await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if answer in done:
            return answer.result()
        if left in done:
            raise ClientDisconnect
        raise errors.TimeLimitError(f"not done within {seconds:g} s; try a smaller image, or try again later")
    finally:
        left.cancel()
        if not answer.done():
            job.cancel()
            answer.add_done_callback(_forget)


async def _left(request: Request) -> None:
    """Return when the client closes its connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _forget(answer: asyncio.Future[Answer]) -> None:
    """Ignore the outcome of a cancelled job."""
    if not answer.cancelled():
        answer.exception()


def _response(answer: Answer) -> Response:
    notes = [one_line(note) for note in answer.notes]
    headers = {"Adair-Notes": json.dumps(notes)} if notes else {}
    return Response(answer.data, media_type=MEDIA_TYPES[answer.format], headers=headers)


async def tasks(request: Request) -> dict[str, list[str]]:
    """Return the tasks of /restore, besides "auto" and "foundation"."""
    service: Service = request.app.state.service
    return {"tasks": list(service.restorer.tasks)}


async def health() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


async def ready(request: Request) -> Response:
    """Images are taken."""
    service: Service = request.app.state.service
    return JSONResponse({"status": "ready"}) if service.ready else errors.answer(503, "the server is shutting down")


async def metrics(request: Request) -> Response:
    """Counters for Prometheus."""
    service: Service = request.app.state.service
    return Response(service.metrics.text(), media_type=openapi.PROMETHEUS)
