"""The server over HTTP: right pictures, clear refusals."""

from __future__ import annotations

import gc
import io
import json
import socket
import threading
import weakref
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from adair.restore import RestoreOptions, Restorer
from adair.serve.app import PARAMETERS
from adair.serve.forms import Upload


@pytest.mark.parametrize(
    "query",
    [
        {"task": "denoise"},
        {"task": "foundation", "strength": 0.4},
        {"task": "denoise", "luma": 0.3, "colour": 0.8},
        {"task": "denoise=0.5,dejpeg=0.3"},
        {"task": "dejpeg > denoise"},
        {"task": "sr", "scale": 2},
        {"task": "denoise", "strength": 0},
    ],
)
def test_answers_what_the_library_answers(
    server: Any, library: Restorer, photo: Any, encode: Any, query: dict[str, Any]
) -> None:
    image = photo()
    reply = server.restore(encode(image), **query)
    assert (reply.status, reply.headers["content-type"]) == (200, "image/png")
    np.testing.assert_array_equal(reply.pixels, library.restore(image, **query))


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "TIFF", "AVIF", "BMP"])
def test_the_format_is_that_of_the_upload_unless_another_is_asked_for(
    server: Any, photo: Any, encode: Any, name: str
) -> None:
    data = encode(photo(), name)
    assert Image.open(io.BytesIO(server.restore(data).body)).format == name
    reply = server.restore(data, format="webp")
    assert reply.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(reply.body)).format == "WEBP"


@pytest.mark.parametrize(("given", "kind"), [("jpg", "jpeg"), ("jpeg", "jpeg"), ("tif", "tiff"), ("tiff", "tiff")])
def test_formats_have_the_spellings_of_the_command_line(
    server: Any, photo: Any, encode: Any, given: str, kind: str
) -> None:
    reply = server.restore(encode(photo()), format=given)
    assert (reply.status, reply.headers["content-type"]) == (200, f"image/{kind}")


def test_a_wrong_task_gets_no_advice_that_only_the_operator_could_follow(server: Any, photo: Any, encode: Any) -> None:
    assert server.restore(encode(photo()), task="denois").error.endswith("known: dejpeg, denoise, sr, auto, foundation")


def test_the_parameters_that_are_known_are_those_of_the_description(server: Any) -> None:
    described = json.loads(server.get("/openapi.json").body)["paths"]["/restore"]["post"]["parameters"]
    assert tuple(one["name"] for one in described) == PARAMETERS


def test_of_several_pages_the_first_is_answered(server: Any, library: Restorer, photo: Any) -> None:
    buffer = io.BytesIO()
    first, second = (Image.fromarray(photo(seed=seed)) for seed in (0, 1))
    first.save(buffer, "TIFF", save_all=True, append_images=[second])
    reply = server.restore(buffer.getvalue(), format="png")
    np.testing.assert_array_equal(reply.pixels, library.restore(photo(), "denoise"))
    assert "only the first" in json.loads(reply.headers["adair-notes"])[0]


def test_colour_profile_transparency_and_depth_are_kept(server: Any, photo: Any) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(np.dstack([photo(), np.full((40, 60), 77, np.uint8)]))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=profile)
    restored = Image.open(io.BytesIO(server.restore(buffer.getvalue()).body))
    assert restored.info["icc_profile"] == profile
    assert restored.mode == "RGBA" and restored.getchannel("A").getextrema() == (77, 77)
    deep = Image.fromarray(np.full((40, 60), 30_000, np.uint16))
    buffer = io.BytesIO()
    deep.save(buffer, "PNG")
    assert Image.open(io.BytesIO(server.restore(buffer.getvalue()).body)).mode == "I;16"


def test_what_a_format_cannot_hold_is_said_in_a_header(server: Any, photo: Any, encode: Any) -> None:
    data = encode(np.dstack([photo(), photo()[..., :1]]))
    assert "transparency" in json.loads(server.restore(data, format="jpeg").headers["adair-notes"])[0]
    assert server.restore(data).headers["adair-notes"] is None


def test_auto_says_what_it_found(server: Any, library: Restorer, photo: Any, encode: Any) -> None:
    image = photo(96, 96)
    reply = server.restore(encode(image), task="auto")
    assert reply.status == 200 and json.loads(reply.headers["adair-notes"])[0].startswith("auto: ")
    np.testing.assert_array_equal(reply.pixels, library.restore(image, "auto"))


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"task": "denois"}, 422, "did you mean 'denoise'"),
        ({"task": ""}, 422, "no task"),
        ({"scale": 3}, 422, "only task 'sr' enlarges"),
        ({"scale": "x"}, 422, "scale: "),
        ({"strength": "nan"}, 422, "strength"),
        ({"strength": 1.5}, 422, "strength: "),
        ({"luma": -0.1}, 422, "luma: "),
        ({"quality": 0}, 422, "quality: "),
        ({"format": "gif"}, 422, "format: "),
        ({"task": "x\n\x1b[31m" * 50}, 422, "unknown task"),
        ({"task": "y" * 501}, 422, "task: "),
        ({"strenght": 1}, 422, "unknown parameter 'strenght'; known: task, scale, strength, luma, colour, format,"),
    ],
)
def test_bad_values_get_one_line(
    server: Any, photo: Any, encode: Any, query: dict[str, Any], status: int, words: str
) -> None:
    reply = server.restore(encode(photo()), **query)
    assert reply.status == status and words in reply.error and "\x1b" not in reply.error


def test_bad_uploads_get_one_line_without_a_path(server: Any, photo: Any, encode: Any) -> None:
    whole = encode(photo())
    for data in (b"", b"GIF89a...", b"\x89PNG\r\n\x1a\n", whole[:200], whole[:60] + bytes(40) + whole[100:]):
        reply = server.restore(data)
        assert reply.status in (400, 422) and reply.error.startswith("upload") and "/" not in reply.error.split(":")[0]


def test_too_large_is_413(server: Any, photo: Any, encode: Any) -> None:
    assert server.restore(bytes(1_000_001)).status == 413
    assert "megapixels" in (reply := server.restore(encode(photo(300, 300)))).error and reply.status == 413
    assert server.restore(encode(photo(150, 150))).status == 200
    assert server.restore(encode(photo(150, 150)), task="sr", scale=3).status == 413


def test_an_upload_without_a_length_is_cut_off_at_the_limit(server: Any) -> None:
    def endless() -> Any:
        for _ in range(200):
            yield bytes(10_000)

    connection = server.connect()
    try:
        connection.request("POST", "/restore?task=denoise", endless(), encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):  # the server answered and closed before all was sent
        pass
    finally:
        connection.close()
    assert server.get("/health").status == 200


def test_a_slow_upload_is_ended(start: Any) -> None:
    server = start(upload_seconds=0.3)
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"POST /restore?task=denoise HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n123")
        assert client.recv(100).startswith(b"HTTP/1.1 408 ")


def test_unknown_paths_and_methods(server: Any) -> None:
    assert server.get("/etc/passwd").status == 404
    assert "GET /restore" in (reply := server.get("/restore")).error and reply.status == 405


def test_health_ready_tasks_and_metrics(server: Any, photo: Any, encode: Any) -> None:
    assert (server.get("/health").status, server.get("/ready").status) == (200, 200)
    assert json.loads(server.get("/tasks").body) == {"tasks": ["dejpeg", "denoise", "sr"]}
    server.restore(encode(photo()))
    text = server.get("/metrics").body.decode()
    for name in ('adair_requests_total{status="200"}', "adair_batch_size_count", "adair_request_seconds_bucket"):
        assert name in text
    assert "adair_requests_inside 0.0" in text


def test_token(start: Any, photo: Any, encode: Any) -> None:
    token = "correct-horse-battery"
    server, data = start(token=token), encode(photo())
    assert server.restore(data).status == 401
    for wrong in (f"Bearer {token}x", f"Basic {token}", "Bearer", "Bearer \xe9", token):
        assert "token" in (reply := server.restore(data, {"Authorization": wrong})).error and reply.status == 401
    assert server.restore(data, {"Authorization": f"Bearer {token}"}).status == 200
    assert (server.get("/health").status, server.get("/ready").status) == (200, 200)
    assert (server.get("/metrics").status, server.get("/tasks").status) == (401, 401)


def test_web_pages_of_other_origins_cannot_use_a_local_server(server: Any, photo: Any, encode: Any) -> None:
    data = encode(photo())
    assert server.restore(data, {"Origin": "https://example.org"}).status == 403
    assert server.restore(data, {"Origin": "null"}).status == 403
    assert server.restore(data, {"Host": "example.org"}).status == 400
    assert server.restore(data, {"Host": "[::1", "Origin": "http://[::1"}).status in (400, 403)
    assert server.restore(data, {"Origin": f"http://127.0.0.1:{server.port}"}).status == 200


def test_a_defect_of_the_server_shows_no_traceback(
    server: Any, photo: Any, encode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(server.service.restorer, "run", broken)
    reply = server.restore(encode(photo()))
    assert reply.status == 500 and "ZeroDivisionError" in reply.error and "secret" not in reply.error


def test_full_server_says_when_to_come_back(start: Any, photo: Any, encode: Any) -> None:
    server, data, replies = start(queue=1), encode(photo()), []
    server.runtime.gate.clear()
    first = threading.Thread(target=lambda: replies.append(server.restore(data)))
    first.start()
    assert server.runtime.reached.acquire(timeout=60)
    reply = server.restore(data)
    assert reply.status == 429 and int(reply.headers["retry-after"]) > 0 and "limit" in reply.error
    assert server.get("/health").status == 200
    server.runtime.gate.set()
    first.join()
    assert replies[0].status == 200 and server.restore(data).status == 200


def test_images_inside_share_a_bound_of_memory(start: Any, photo: Any, encode: Any) -> None:
    server, data, replies = start(memory_gigabytes=2e-5), encode(photo()), []
    server.runtime.gate.clear()
    first = threading.Thread(target=lambda: replies.append(server.restore(data)))
    first.start()
    assert server.runtime.reached.acquire(timeout=60)
    assert "memory" in (reply := server.restore(data)).error and reply.status == 429
    server.runtime.gate.set()
    first.join()
    assert replies[0].status == 200


def test_time_limit(start: Any, photo: Any, encode: Any, wait_until: Any) -> None:
    server = start(seconds=0.2)
    server.runtime.gate.clear()
    reply = server.restore(encode(photo()))
    assert reply.status == 503 and "0.2 s" in reply.error and reply.headers["retry-after"]
    server.runtime.gate.set()


def test_work_ends_when_the_client_leaves(start: Any, photo: Any, encode: Any, wait_until: Any) -> None:
    """The first image is at its first of many tiles, the second still waits: neither goes on."""
    server = start(parallel=1)
    server.runtime.gate.clear()
    clients = []
    for data in (encode(photo(30, 700)), encode(photo())):
        client = server.connect()
        client.request("POST", "/restore?task=dejpeg%20%3E%20denoise", data)
        clients.append(client)
        if len(clients) == 1:
            assert server.runtime.reached.acquire(timeout=60)
    wait_until(lambda: b"adair_requests_inside 2.0" in server.service.metrics.text())
    for client in clients:
        client.close()
    wait_until(lambda: b"adair_requests_inside 0.0" in server.service.metrics.text())
    server.runtime.gate.set()
    assert server.restore(encode(photo()), task="foundation").status == 200
    assert len(server.runtime.batches) == 2  # the first tile, and the foundation's
    assert b'adair_requests_total{status="499"} 2.0' in server.service.metrics.text()


def test_an_upload_nobody_waits_for_leaves_the_memory(start: Any, photo: Any, encode: Any) -> None:
    """Its place in the queue is free at once, so the memory must be, too, although no thread has seen it yet."""
    server = start(parallel=1)
    server.runtime.gate.clear()
    order = server.service.order(RestoreOptions("denoise"), None, 95)
    busy = server.service.start(Upload(encode(photo())), order)
    assert server.runtime.reached.acquire(timeout=60)
    upload = Upload(encode(photo()))
    seen = weakref.ref(upload)
    job = server.service.start(upload, order)
    del upload
    assert seen() is not None
    job.cancel()
    gc.collect()
    assert seen() is None
    server.runtime.gate.set()
    assert busy.answer.result(60).format == "png"


def test_small_images_of_equal_size_run_together(
    start: Any, library: Restorer, photo: Any, encode: Any, wait_until: Any
) -> None:
    server = start()
    server.runtime.gate.clear()
    images = [photo(32, 48, seed) for seed in range(5)]
    replies: list[Any] = [None] * 5

    def ask(number: int) -> None:
        replies[number] = server.restore(encode(images[number]), strength=1 - number / 10)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(5)]
    threads[0].start()
    assert server.runtime.reached.acquire(timeout=60)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: server.service.restorer.runtime.waiting == 4)
    server.runtime.gate.set()
    for thread in threads:
        thread.join()
    assert server.runtime.batches == [1, 4]
    for number, reply in enumerate(replies):
        alone = library.restore(images[number], "denoise", strength=1 - number / 10)
        assert np.abs(reply.pixels.astype(int) - alone).max() <= 1
        assert (reply.pixels != alone).mean() < 0.001


def test_shutdown_finishes_what_is_inside(start: Any, photo: Any, encode: Any, wait_until: Any) -> None:
    server, replies = start(), []
    server.runtime.gate.clear()
    thread = threading.Thread(target=lambda: replies.append(server.restore(encode(photo()))))
    thread.start()
    assert server.runtime.reached.acquire(timeout=60)
    server.uvicorn.should_exit = True

    def refused() -> bool:
        try:
            server.get("/health")
        except ConnectionError:
            return True
        return False

    wait_until(refused)
    server.runtime.gate.set()
    thread.join()
    assert replies[0].status == 200
