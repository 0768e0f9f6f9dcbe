"""What can go wrong with an expression: when it is compiled, and when it runs.

HookwardenError
├── ExpressionError         compile time: the analyst edits the text; `offset` says where
└── ExpressionFault         run time: wrong types, overflow, a bound. Absorbed by && || exists all as CEL absorbs errors
    └── BudgetExceeded      the event's step budget is used up: never absorbed

No message holds a value of the event: kinds and names only.
"""

from __future__ import annotations

from receiver.errors import HookwardenError


class ExpressionError(HookwardenError):
    """The text is no expression that can be run. `offset` counts characters from the start of the text."""

    def __init__(self, offset: int, message: str) -> None:
        self.offset = offset
        self.message = message
        super().__init__(message)


class ExpressionFault(HookwardenError):
    """The expression met values that it cannot work on."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class BudgetExceeded(ExpressionFault):
    """The step budget of the event is used up."""
