"""The smallest web service: PUT an image to /restore/denoise, get a PNG back. ``adair serve`` is the complete one."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Annotated

from fastapi import Body, FastAPI, HTTPException, Response
from PIL import Image, UnidentifiedImageError

from adair import AdairError, Restorer

app = FastAPI(title="Restore photos")


@lru_cache(1)
def restorer() -> Restorer:
    """The bundled network, loaded once."""
    return Restorer.load()


@app.put("/restore/{task}", response_class=Response)
def restore(task: str, data: Annotated[bytes, Body(media_type="application/octet-stream")]) -> Response:
    """Restore the image in the body."""
    try:
        result = restorer().restore(Image.open(io.BytesIO(data)), task)
    except (AdairError, UnidentifiedImageError) as error:
        raise HTTPException(422, str(error)) from error
    out = io.BytesIO()
    result.save(out, "PNG")
    return Response(out.getvalue(), media_type="image/png")
