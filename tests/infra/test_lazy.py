"""What is not used is not imported; what is missing is named with its remedy."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.lazy import Lazy


def test_nothing_is_imported_before_the_first_call() -> None:
    code = (
        "import sys; from tollkeeper.infra.lazy import Lazy; "
        "lazy = Lazy('wave:open'); assert 'wave' not in sys.modules; "
        "lazy.load(); assert 'wave' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_call_goes_to_the_factory() -> None:
    assert Lazy("fractions:Fraction")(3, denominator=6).denominator == 2
    assert Lazy("datetime:datetime.fromisoformat")("2026-11-22").year == 2026


def test_a_missing_package_is_named_with_the_extra_to_install() -> None:
    with pytest.raises(ConfigurationError) as refused:
        Lazy("a_package_that_nobody_has.store:Store.from_url", extra="postgres").load()
    assert refused.value.code == "extra_missing"
    assert refused.value.public_message == (
        "a_package_that_nobody_has is not installed; run: pip install 'tollkeeper[postgres]'"
    )
    assert isinstance(refused.value.__cause__, ModuleNotFoundError)


def test_a_module_of_ours_that_is_missing_is_no_missing_extra() -> None:
    for lazy in (
        Lazy("tollkeeper.adapters.nobody.store:Store", extra="openai"),
        Lazy("a_package_that_nobody_has:Store"),
    ):
        with pytest.raises(ConfigurationError, match="cannot import") as refused:
            lazy.load()
        assert refused.value.code == "configuration_error"


ADAPTERS = {
    "needs_more.py": "import a_package_that_nobody_has\nclass Store: ...\n",
    "too_old.py": "from attrs import a_name_of_the_next_version\n",
}
OUTSIDE = """
from tollkeeper.domain.errors import ConfigurationError
from tollkeeper.infra.lazy import Lazy
for module in ("needs_more", "too_old"):
    try:
        Lazy(f"{module}:Store", extra="postgres").load()
    except ConfigurationError as error:
        print(error.code, error)
"""


def test_what_the_module_itself_misses_is_named_too(tmp_path: Path) -> None:
    for name, text in ADAPTERS.items():
        (tmp_path / name).write_text(text)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", OUTSIDE], env=environ, capture_output=True, text=True, check=True
    )
    assert run.stdout.splitlines() == [
        "extra_missing a_package_that_nobody_has is not installed; "
        "run: pip install 'tollkeeper[postgres]'",
        "configuration_error cannot import too_old:Store; "
        "run: pip install -U 'tollkeeper[postgres]'",
    ]
