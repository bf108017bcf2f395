"""Two nodes of a real Ray cluster on this machine, which lose a worker and then a node; and an object store."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adair.cluster.plan import STATE, ClusterPlan, make_plan
from adair.cluster.run import SUMMARY, ClusterOutcome, run_plan
from adair.cluster.storage import Storage
from adair.cluster.worker import WorkerSpec
from adair.restore import RestoreOptions, Restorer
from adair.restore.batch import Naming
from adair.restore.single import FileOptions

ray = pytest.importorskip("ray", reason="needs Ray: make test-cluster")
pytestmark = pytest.mark.filterwarnings("ignore")

COUNT = 24
OPTIONS = RestoreOptions("denoise")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    for number in range(COUNT):
        path = folder / f"{'deep/' * (number % 2)}{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (60 + number, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture
def make_spec(model_files: Path) -> Callable[[str, str], WorkerSpec]:
    foundation, adapter = ((model_files / f"{name}.safetensors").read_bytes() for name in ("foundation", "denoise"))
    return lambda source, target: WorkerSpec(
        source, target, OPTIONS, FileOptions(), foundation, (adapter,), "torch", "cpu", "fp32", 1
    )


@pytest.fixture
def library(model_files: Path) -> Restorer:
    restorer = Restorer.load(model_files / "foundation.safetensors", "cpu", "fp32")
    restorer.add_adapter(model_files / "denoise.safetensors")
    return restorer


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes; each has more CPUs than its workers take."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    made.add_node(num_cpus=2)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def planned(spec: WorkerSpec) -> ClusterPlan:
    return make_plan(Storage(spec.source), Storage(spec.target), Naming("denoise"), "mark", recursive=True)


def workers() -> list[int]:
    """Process ids of the actors that restore."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                name = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if name.startswith(b"ray::") and b"Worker" in name:
                found.append(int(folder.name))
    return found


def test_a_worker_and_a_node_die_and_nothing_is_lost(
    cluster: Any, source: Path, tmp_path: Path, make_spec: Any, library: Restorer
) -> None:
    target = tmp_path / "target"
    spec = make_spec(str(source), str(target))
    seen: list[ClusterOutcome] = []

    def report(outcome: ClusterOutcome) -> None:
        seen.append(outcome)
        if len(seen) == 2:
            os.kill(workers()[0], signal.SIGKILL)
        elif len(seen) == 10:
            cluster.remove_node(sorted(cluster.worker_nodes, key=str)[0], allow_graceful=False)

    outcomes = run_plan(planned(spec), spec, 2, report)
    assert len(seen) == COUNT >= 10
    assert [outcome.status for outcome in outcomes] == ["done"] * COUNT
    expected = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.png"))
    assert [outcome.source for outcome in outcomes] == expected
    results = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert results == sorted([*expected, SUMMARY, STATE])
    for name in expected:
        restored = library.restore(np.asarray(Image.open(source / name)), "denoise")
        np.testing.assert_array_equal(np.asarray(Image.open(target / name)), restored)
    lines = [json.loads(line) for line in (target / SUMMARY).read_text().splitlines()]
    assert [line["source"] for line in lines] == expected and {line["status"] for line in lines} == {"done"}

    times = {path: path.stat().st_mtime_ns for path in target.rglob("*.png")}
    (target / "00.png").unlink()
    again = run_plan(planned(spec), spec, 2, lambda outcome: None)
    assert [outcome.status for outcome in again] == ["done"] + ["skipped"] * (COUNT - 1)
    assert {path: time for path, time in times.items() if path.stat().st_mtime_ns != time}.keys() == {target / "00.png"}


def test_from_bucket_to_bucket(
    source: Path, tmp_path: Path, make_spec: Any, library: Restorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_module = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        for name, value in (
            ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
            ("AWS_ACCESS_KEY_ID", "none"),
            ("AWS_SECRET_ACCESS_KEY", "none"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
        ):
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        client = boto3.client("s3")
        for bucket in ("photos", "better"):
            client.create_bucket(Bucket=bucket)
        for name in ("00.png", "deep/01.png", "02.png"):
            client.upload_file(str(source / name), "photos", f"2026/{name}")
        client.put_object(Bucket="photos", Key="2026/broken.png", Body=b"\x89PNG\r\n\x1a\nxx")
        spec = make_spec("s3://photos/2026", "s3://better/out")
        outcomes = run_plan(planned(spec), spec, 2, lambda outcome: None)
        assert [(outcome.source, outcome.status) for outcome in outcomes] == [
            *((name, "done") for name in ("00.png", "02.png")),
            ("broken.png", "failed"),
            ("deep/01.png", "done"),
        ]
        assert "s3://photos/2026/broken.png" in outcomes[2].error
        keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="better")["Contents"]]
        assert sorted(keys) == [f"out/{n}" for n in sorted([STATE, SUMMARY, "00.png", "02.png", "deep/01.png"])]
        client.download_file("better", "out/deep/01.png", str(tmp_path / "one.png"))
        restored = library.restore(np.asarray(Image.open(source / "deep/01.png")), "denoise")
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "one.png")), restored)
        assert [item.source for item in planned(spec).todo] == ["broken.png"]
    finally:
        server.stop()
