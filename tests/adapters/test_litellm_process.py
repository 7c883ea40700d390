"""What litellm may not do to its host: seen in a process of its own."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.litellm_calls import KEY, provider_server
from tests.servers.wire_server import WireServer

HOSTILE = {
    "OPENAI_API_KEY": "sk-of-the-environment",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "OPENAI_API_BASE": "http://127.0.0.1:9/v1",
    "ANTHROPIC_API_KEY": "sk-of-the-environment",
    "ANTHROPIC_AUTH_TOKEN": "sk-of-the-environment",
    "ANTHROPIC_API_BASE": "http://127.0.0.1:9",
    "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
    "GROQ_API_KEY": "sk-of-the-environment",
    "GROQ_API_BASE": "http://127.0.0.1:9",
    "GEMINI_API_KEY": "sk-of-the-environment",
    "GEMINI_API_BASE": "http://127.0.0.1:9",
    "GOOGLE_API_KEY": "sk-of-the-environment",
    "OPENROUTER_API_KEY": "sk-of-the-environment",
    "OPENROUTER_API_BASE": "http://127.0.0.1:9",
    "XAI_API_KEY": "sk-of-the-environment",
    "XAI_API_BASE": "http://127.0.0.1:9",
    "MORPH_API_KEY": "sk-of-the-environment",
    "MORPH_API_BASE": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "http://127.0.0.1:9",
}


def _path(folder: Path) -> str:
    return os.pathsep.join([str(folder / "packages"), os.getcwd()])


def _found(server: WireServer, provider: str, folder: Path, **environment: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.adapters.litellm_process"]
    run = subprocess.run(
        [*command, server.base_url, provider, KEY],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": _path(folder), **environment},
        cwd=folder,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    lines = run.stdout.splitlines()
    assert len(lines) == 1, "nothing but the report is printed"
    found: dict[str, Any] = json.loads(lines[0])
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project where litellm is installed below a file with settings, which it would load."""
    project = tmp_path_factory.mktemp("project")
    (project / ".env").write_text("OPENAI_API_KEY=sk-of-the-file\nSEEN_BY_LITELLM=yes\n")
    (project / "packages").mkdir()
    found = importlib.util.find_spec("litellm")
    assert found is not None
    assert found.submodule_search_locations
    (project / "packages" / "litellm").symlink_to(found.submodule_search_locations[0])
    return project


@pytest.fixture(params=["openai", "gemini", "anthropic"])
def provider(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server(provider: str) -> Iterator[WireServer]:
    with provider_server(provider) as server:
        yield server


def test_litellm_leaves_its_host_as_it_was(server: WireServer, provider: str, folder: Path) -> None:
    found = _found(server, provider, folder, **HOSTILE)
    assert found["text"] == found["streamed"] == "one two"
    assert found["failures"] == ["NotFound", "NotFound"]
    assert not found["imported"], "making an adapter imports no litellm"
    assert found["environment_kept"]
    assert found["filters_added"] == 0
    assert found["hook_kept"]
    assert found["loggers_changed"] == []
    assert found["touched"] == []
    assert found["heard"] == []
    assert found["warned"] == []
    assert found["hosts"] == []
    assert found["threads"] == []
    assert found["tasks"] == 0
    assert found["settings_kept"]
    assert {server.format.key_of(seen) for seen in server.requests} == {KEY}
    assert len(server.requests) == 4, "one request for each call"


def test_litellm_by_itself_would_load_the_file_with_settings(folder: Path) -> None:
    """The test above would see it: what it looks for is there to be found."""
    shown = "import litellm, os; print(os.environ.get('SEEN_BY_LITELLM'))"
    run = subprocess.run(
        [sys.executable, "-c", shown],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={**os.environ, "PYTHONPATH": _path(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        cwd=folder,
    )
    assert run.stdout.strip().endswith("yes")
