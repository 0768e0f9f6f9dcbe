"""Each of these notices a change that no other test did (bench/mutation.py)."""

from __future__ import annotations

import pytest

from receiver.policy.expressions.expression import ExpressionError, Names, compile_expression


def test_has_is_known_to_give_true_or_false() -> None:
    """So what cannot work with it is refused."""
    with pytest.raises(ExpressionError, match=r"cannot work on bool"):
        compile_expression("has(event.country) + 1 > 0", Names({"event": None}))
