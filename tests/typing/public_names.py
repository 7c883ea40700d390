"""The public names as a type checker sees them: checked by mypy, never run."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # A name that is not there is refused: mypy reports an ignore that is not needed.
    from tollkeeper import Setings  # type: ignore[attr-defined]  # noqa: F401
