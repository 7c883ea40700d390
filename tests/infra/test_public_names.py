"""What ``import tollkeeper`` offers."""

import inspect
import subprocess
import sys
from importlib import import_module
from typing import get_args

import pytest

import tollkeeper
from tollkeeper.domain import errors, messages


@pytest.mark.parametrize("name", tollkeeper.__all__)
def test_a_public_name_is_the_one_of_its_home(name: str) -> None:
    found = getattr(tollkeeper, name)
    assert found is getattr(import_module(found.__module__), name)
    assert name in dir(tollkeeper)


def test_the_names_are_sorted_and_each_has_a_home() -> None:
    assert tollkeeper.__all__ == sorted({*tollkeeper.__all__})
    assert {*tollkeeper.__all__} == {*tollkeeper._HOME_OF}


def test_every_error_that_a_request_can_get_is_public() -> None:
    families = {
        name
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and issubclass(cls, errors.DomainError)
    }
    assert families <= {*tollkeeper.__all__}
    assert {"ConfigurationError", "PortError", "TollkeeperError"} <= {*tollkeeper.__all__}


def test_what_the_use_cases_return_is_public() -> None:
    returned = {"Balance", "Completion", "Entry", "IssuedKey", "Receipt", "UsageReport"}
    returned |= {"Attempt", "Catalogue", "Credential", "Embeddings", "ToolRun"}
    parts_of_them = {"Billed", "ModelCard", "Outcome", "Provenance", "RunEnd", "Settlement"}
    assert returned | parts_of_them <= {*tollkeeper.__all__}


def test_everything_that_a_request_is_made_of_is_public() -> None:
    parts = {cls.__name__ for cls in get_args(messages.Part)}
    options = {"Credential", "JsonSchema", "PromptCache", "Tool", "ToolFunction"}
    assert parts | options <= {*tollkeeper.__all__}


def test_an_unknown_name_is_an_error_that_names_it() -> None:
    with pytest.raises(AttributeError, match="'tollkeeper' has no attribute 'Setings'"):
        tollkeeper.Setings  # type: ignore[attr-defined]  # noqa: B018


def test_importing_the_package_imports_nothing_of_it() -> None:
    script = "import sys, tollkeeper; print([n for n in sys.modules if 'tollkeeper.' in n])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
