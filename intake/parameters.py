"""The named numbers a program may set, each within the range its content file allows."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from intake.content_files import read

FILES = ("facts.yaml",)


@cache
def parameters() -> Mapping[str, Mapping[str, Any]]:
    """Every parameter by name: default, allowed range or choices, unit, and what it means."""
    return {name: row for file in FILES for name, row in read(file)["parameters"].items()}


class Parameters(BaseModel):
    """The program's values; whatever is not set keeps its default. Raises ValidationError naming what is not allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: Mapping[str, int | str] = {}

    @field_validator("values")
    @classmethod
    def _allowed(cls, values: Mapping[str, int | str]) -> Mapping[str, int | str]:
        for name, value in values.items():
            if name not in parameters():
                raise ValueError(f"There is no setting {name!r}.")
            if not _is_allowed(value, parameters()[name]["allowed"]):
                raise ValueError(f"{name} cannot be {value!r}; allowed: {_said(parameters()[name]['allowed'])}.")
        return values

    def number(self, name: str) -> int:
        """The value of a numeric parameter."""
        return int(self.values.get(name, parameters()[name]["default"]))

    def choice(self, name: str) -> str:
        """The value of a parameter that is chosen from a list."""
        return str(self.values.get(name, parameters()[name]["default"]))

    def effective(self) -> dict[str, int | str]:
        """Every parameter with the value that counts."""
        return {name: self.values.get(name, row["default"]) for name, row in parameters().items()}


def _is_allowed(value: int | str, allowed: Any) -> bool:
    if isinstance(allowed, dict):
        return value in allowed["one_of"]
    low, high = allowed
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _said(allowed: Any) -> str:
    return " or ".join(allowed["one_of"]) if isinstance(allowed, dict) else f"{allowed[0]} to {allowed[1]}"
