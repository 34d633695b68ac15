"""Clusters of Ray on this machine, with small object stores; skipped where Ray is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.distributed.engines import faults

ROOT = Path(__file__).resolve().parents[3]
# Clusters begin slowly where other things run.
TIMEOUT_S = 300
NODE = {"num_cpus": 1, "memory": 4 << 30, "object_store_memory": 80 << 20}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes of one core each; what their workers do can be slowed, logged and made to fail."""
    pytest.importorskip("ray", reason="ray is not installed: make distributed")
    from ray.cluster_utils import Cluster

    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", str(ROOT))
    patch.setenv(faults.LOG, str(tmp_path_factory.mktemp("faults") / "log"))
    patch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    cluster.add_node(**NODE)
    cluster.wait_for_nodes()
    yield cluster
    cluster.shutdown()
    patch.undo()


@pytest.fixture(scope="module")
def connected(ray_cluster: Any) -> Iterator[Any]:
    """This process as a driver of the cluster, whose workers may be slow and fail."""
    import ray

    environment = {"worker_process_setup_hook": "tests.distributed.engines.faults.install"}
    ray.init(address=ray_cluster.address, runtime_env=environment, log_to_driver=False, logging_level="ERROR")
    yield ray_cluster
    ray.shutdown()
