"""What a parameter model raises where parameters do not go together."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from receiver.contract import MISFIT


def misfit(said: str, *judged: str) -> PydanticCustomError:
    """`judged` names the parameters whose values were weighed, first the one to point at: a `{{ }}` in another one
    changes nothing, so `check` finds the misfit all the same. A ValueError it passes over where any stands beside it.
    """
    return PydanticCustomError(MISFIT, "{said}", {"said": said, "judged": judged})
