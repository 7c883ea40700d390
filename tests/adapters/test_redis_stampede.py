"""Many clients of several processes ask for one value all the time: it is loaded once a life."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.redis_time import own_namespace
from tests.servers.redis_server import shared_cluster_url, shared_server_url

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
@pytest.mark.parametrize("on", ["one", "cluster"])
def test_sixty_clients_in_four_processes_load_a_value_about_once_in_its_life(on: str) -> None:
    url = own_namespace(shared_server_url() if on == "one" else shared_cluster_url())
    command = [sys.executable, "-m", "tests.adapters.redis_stampede", url, "6"]
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        said = [""] * 4
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        said = [process.communicate(timeout=60)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    loads = [int(line.split()[0]) for line in said]
    asks = [int(line.split()[1]) for line in said]
    assert min(asks) > 100
    assert 5 <= sum(loads) <= 10
