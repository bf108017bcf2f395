"""Load on `adair serve`: are all pictures right, does memory stay, how long do answers take, what does serving cost?

    python benchmarks/serve_load.py [--seconds 120] [--clients 16] [--hostile 2] [--threads N] [--json FILE]

First the bare library decodes, restores and encodes the cases below one after the other for a quarter of the time; its
results are what the server has to answer. Then the server runs as a process of its own, with its defaults, and clients
send cases drawn at random, one after the other; some send rubbish, bombs and bad values instead, or leave in the
middle. Then the library runs once more, since other programs may slow the machine for a while. Memory is the server's
own figure (`process_resident_memory_bytes`), as medians of the second and the last quarter of the time.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import random
import re
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import torch
from PIL import Image

from adair import Restorer, degrade
from adair.restore import RestoreOptions, read_image
from adair.serve.codec import decode, encode, format_of

PHOTOS = Path(__file__).resolve().parents[1] / "examples" / "photos"
SIZES = ((64, 64), (64, 64), (128, 128), (128, 128), (200, 150), (384, 256), (1200, 800))
ASKED = (
    {"task": "denoise"},
    {"task": "dejpeg", "strength": 0.7},
    {"task": "dejpeg > denoise"},
    {"task": "denoise=0.6,dejpeg=0.4"},
    {"task": "sr", "scale": 2},
    {"task": "auto"},
)
PARTS = (50, 95, 99)  # per cent of all answers
KINDS: tuple[tuple[str, dict[str, int]], ...] = (("PNG", {}), ("JPEG", {"quality": 70}), ("WEBP", {"quality": 80}))


@dataclass
class Case:
    """A request, the pixels that have to come back, and how large the image is."""

    query: dict[str, Any]
    data: bytes
    pixels: int
    expected: np.ndarray | None = None


@dataclass
class Tally:
    """What the clients saw; every client has one of its own."""

    seconds: list[tuple[int, float]] = field(default_factory=list)
    done: int = 0
    pixels: int = 0
    wrong: int = 0
    largest: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)


def cases() -> list[Case]:
    """Every size with some of the tasks and formats, alternating."""
    photos = [read_image(path).pixels for path in sorted(PHOTOS.glob("*.webp"))]
    made = []
    for number, (width, height) in enumerate(SIZES * 2):
        photo = np.asarray(Image.fromarray(photos[number % 3]).resize((width, height), Image.Resampling.LANCZOS))
        photo = degrade(photo, "noise(sigma=15)", seed=number)
        for step in range(2):
            name, options = KINDS[(number + step) % 3]
            query = ASKED[(number * 2 + step) % len(ASKED)]
            if width * height > 500_000 and query["task"] == "sr":
                query = ASKED[0]
            buffer = io.BytesIO()
            Image.fromarray(photo).save(buffer, name, **options)
            made.append(Case({**query, "format": "png"}, buffer.getvalue(), width * height))
    return made


def bare(restorer: Restorer, work: list[Case], seconds: float) -> float:
    """Run the cases through the library until the time is over, all of them at least once; pixels per second."""
    start, pixels = time.monotonic(), 0
    while True:
        for case in work:
            if case.expected is not None and time.monotonic() - start > seconds:
                return pixels / (time.monotonic() - start)
            image = decode(case.data, 10**9)
            asked = {key: value for key, value in case.query.items() if key != "format"}
            result = restorer.run(image, RestoreOptions(**asked)).image
            encode(result, case.query.get("format", format_of(case.data)), 95)
            case.expected = np.squeeze(result.pixels)
            pixels += case.pixels


def client(port: int, work: list[Case], end: float, seed: int, tally: Tally) -> None:
    """Send cases until ``end`` and compare what comes back."""
    choose = random.Random(seed)
    while time.monotonic() < end:
        case = choose.choice(work)
        start = time.monotonic()
        status, headers, body = post(port, case.query, case.data)
        tally.statuses[str(status)] += 1
        if status == 429:
            time.sleep(float(headers["retry-after"]) * choose.uniform(0.5, 1.5))
        elif status == 200:
            tally.seconds.append((case.pixels, time.monotonic() - start))
            if time.monotonic() < end:
                tally.done, tally.pixels = tally.done + 1, tally.pixels + case.pixels
            compare(np.asarray(Image.open(io.BytesIO(body))), case, tally)
        else:
            tally.surprises.append(f"{case.query}: {status} {body[:200]!r}")


def compare(pixels: np.ndarray, case: Case, tally: Tally) -> None:
    assert case.expected is not None
    if pixels.shape != case.expected.shape:
        tally.wrong += 1
        return
    difference = np.abs(pixels.astype(int) - case.expected)
    tally.largest = max(tally.largest, int(difference.max()))
    tally.wrong += bool(difference.max() > 1 or (difference > 0).mean() > 1e-3)


def hostile(port: int, work: list[Case], end: float, seed: int, tally: Tally) -> None:
    """Send what no server wants to get; every answer has to be 4xx."""
    choose = random.Random(seed)
    while time.monotonic() < end:
        case = choose.choice(work)
        start, kind = choose.randrange(len(case.data)), choose.randrange(7)
        if kind == 0:
            sent = post(port, case.query, choose.randbytes(5000))
        elif kind == 1:
            sent = post(port, case.query, case.data[: start // 2])
        elif kind == 2:
            sent = post(port, case.query, bomb(30_000))
        elif kind == 3:
            sent = post(port, {"task": "\x00\n" * choose.randrange(50)}, case.data)
        elif kind == 4:
            sent = post(port, {**case.query, "strength": "1e999", "scale": -1}, case.data)
        elif kind == 5:
            sent = post(port, case.query, bytes(65_000_000))
        else:
            leave(port, case, choose)
            continue
        if not (400 <= sent[0] < 500 and "\n" not in json.loads(sent[2] or '{"error": ""}')["error"]):
            tally.surprises.append(f"hostile {kind}: {sent[0]} {sent[2][:200]!r}")
        tally.statuses[f"hostile {sent[0]}"] += 1
        time.sleep(0.05)


def post(port: int, query: dict[str, Any], data: bytes) -> tuple[int, Any, bytes]:
    """One request; a connection that the server ends while it is still being sent to counts as 413."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("POST", f"/restore?{urlencode(query)}", data)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    except (BrokenPipeError, ConnectionResetError):
        if len(data) < 10**7:
            raise
        return 413, {}, b""
    finally:
        connection.close()


def leave(port: int, case: Case, choose: random.Random) -> None:
    """Ask, and go away a moment later."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", f"/restore?{urlencode(case.query)}", case.data)
    time.sleep(choose.uniform(0, 0.3))
    connection.close()


def bomb(side: int) -> bytes:
    """A small PNG of side times side black pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    lines = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def metric(port: int, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else float("nan")


def load(port: int, work: list[Case], seconds: float, clients: int, foes: int) -> tuple[list[Tally], list[float]]:
    """Run the clients; their tallies, and the server's memory in bytes, ten times a second."""
    tallies = [Tally() for _ in range(clients)]
    end = time.monotonic() + seconds
    threads = [
        threading.Thread(target=hostile if number < foes else client, args=(port, work, end, number, tally))
        for number, tally in enumerate(tallies)
    ]
    memory = []
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        memory.append(metric(port, "process_resident_memory_bytes"))
        time.sleep(max(seconds / 400, 0.1))
    for thread in threads:
        thread.join()
    return tallies, memory


def report(tallies: list[Tally], memory: list[float], seconds: float, before: float, after: float) -> dict[str, Any]:
    quarter = max(len(memory) // 4, 1)
    statuses = sum((tally.statuses for tally in tallies), Counter())
    times = [pair for tally in tallies for pair in tally.seconds]
    rows = {}
    for name, least, most in (("all", 0, 10**9), ("to 0.02 MP", 0, 20_000), ("0.02 to 0.2 MP", 20_001, 200_000),
                              ("0.96 MP", 200_001, 10**9)):  # fmt: skip
        part = sorted(taken for pixels, taken in times if least <= pixels <= most)
        if part:
            rows[name] = {
                "count": len(part),
                **{f"p{p}": part[min(len(part) * p // 100, len(part) - 1)] for p in (50, 95, 99)},
            }
    served = sum(tally.pixels for tally in tallies) / seconds
    return {
        "wrong": sum(tally.wrong for tally in tallies),
        "largest difference": max(tally.largest for tally in tallies),
        "surprises": [text for tally in tallies for text in tally.surprises],
        "answers": dict(sorted(statuses.items())),
        "seconds": rows,
        "images per second": sum(tally.done for tally in tallies) / seconds,
        "megapixels per second": served / 1e6,
        "library, megapixels per second": [before / 1e6, after / 1e6],
        "server to library": served / statistics.mean((before, after)),
        "memory in MB, second and last quarter": [
            statistics.median(part) / 1e6 for part in (memory[quarter : 2 * quarter], memory[-quarter:])
        ],
    }  # fmt: skip


def table(facts: dict[str, Any]) -> str:
    """The figures as Markdown, with whatever went wrong below."""
    foes = {answer: count for answer, count in facts["answers"].items() if answer.startswith("hostile")}
    bad = sum(count for answer, count in foes.items() if not answer.startswith("hostile 4"))
    before, after = facts["library, megapixels per second"]
    memory = [f"{megabytes:.0f}" for megabytes in facts["memory in MB, second and last quarter"]]
    rows = [
        (f"threads, precision, clients: {facts['threads']}, {facts['precision']}, {facts['clients']}", ""),
        ("pictures that differ from the library's", f"{facts['wrong']} of {facts['answers'].get('200', 0)}"),
        ("answers to hostile requests other than 4xx", f"{bad} of {sum(foes.values())}"),
        ("throughput of the server", f"{facts['megapixels per second']:.3f} megapixels/s"),
        ("throughput of the library alone, before and after", f"{before:.3f} and {after:.3f} megapixels/s"),
        ("server to library", f"{facts['server to library']:.2f}"),
        *(
            (f"seconds to the answer, p50, p95, p99: {name}", ", ".join(f"{row[f'p{p}']:.1f}" for p in PARTS))
            for name, row in facts["seconds"].items()
        ),
        ("memory of the server, second and last quarter", f"{' and '.join(memory)} MB"),
        ("exit code, tracebacks", f"{facts['exit code']}, {facts['tracebacks']}"),
    ]
    lines = ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]
    return "\n".join([*lines, *(f"surprise: {text}" for text in facts["surprises"])])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--hostile", type=int, default=2, help="so many of the clients")
    parser.add_argument("--threads", type=int, help="of the network, for both; default: as many as there are cores")
    parser.add_argument("--precision", default=None)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    work = cases()
    restorer = Restorer.load(device="cpu", precision=given.precision)
    bare(restorer, work, 0)  # results, and a network that is warm
    before = bare(restorer, work, given.seconds / 4)

    words = [sys.executable, "-m", "adair", "serve", "--port", "0", "--device", "cpu"]
    words += ["--precision", given.precision] if given.precision else []
    environment = dict(os.environ) | ({"OMP_NUM_THREADS": str(given.threads)} if given.threads else {})
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(words, stderr=subprocess.PIPE, env=environment) as server,
    ):
        assert server.stderr is not None
        port = int(server.stderr.readline().decode().rpartition(":")[2])
        drain = threading.Thread(target=lambda: log.write(server.stderr.read().decode()), daemon=True)  # type: ignore[union-attr]
        drain.start()
        for case in work:
            post(port, case.query, case.data)
        tallies, memory = load(port, work, given.seconds, given.clients, given.hostile)
        server.terminate()
        code = server.wait(300)
        drain.join(10)
        log.seek(0)
        tracebacks = log.read().count("Traceback")
    after = bare(restorer, work, given.seconds / 4)
    facts = report(tallies, memory, given.seconds, before, after) | {"exit code": code, "tracebacks": tracebacks}
    facts |= {"precision": restorer.precision.name, "threads": torch.get_num_threads(), "clients": given.clients}
    print(table(facts))
    if given.json:
        given.json.write_text(json.dumps(facts, indent=2))
    return int(bool(facts["wrong"] or facts["surprises"] or code or tracebacks))


if __name__ == "__main__":
    sys.exit(main())
