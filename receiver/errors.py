"""Every error Hookwarden raises on purpose, by who must act.

HookwardenError
├── ConfigurationError      the operator or analyst edits a file: all problems at once, each with its place
├── SignatureRejected       the sender: not signed by us, or not fresh (401, and nobody outside is told why)
├── PayloadRejected         the sender: signed, but not the JSON object it must be (400)
├── StoreUnavailable        our own trouble: disk full, file locked, draining (503 and Retry-After)
├── Unusable                the caller gave a value that cannot be used: a cursor, a time, a search, a file name (400)
├── NotFound                the caller named something that does not exist (404)
├── Conflict                the caller asked for what the present state does not allow (409)
└── VendorError             a call that went out
    ├── VendorUnavailable   transport, 5xx, 429: try again later
    ├── VendorWaiting       the vendor is parked or its breaker is open: wait, no attempt is spent
    ├── VendorRefused       the vendor's final no
    ├── AnswerUnreadable    2xx, or perhaps one, that cannot be read: the effect may have happened
    │   └── NoOutcome       what the function of an action gave back is no outcome: its package is at fault
    └── LinkRefused         an image link that we do not follow; nothing was contacted

Below the root are also ExpressionError and ExpressionFault, which stay inside the policy room and become findings or
undecided decisions: see policy/expressions/faults.py.

No message holds a secret, a signed link or a person's data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal


class HookwardenError(Exception):
    """The root: catching it catches what was raised on purpose, and no bug."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding in a file: `path:line:column: severity CODE message`. Lines and columns count from 1."""

    path: str
    line: int
    column: int
    severity: Literal["error", "warning"]
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.severity} {self.code} {self.message}"

    def document(self) -> dict[str, Any]:
        """The finding as JSON: its fields by name, wherever findings are answered or printed for programs."""
        return asdict(self)


class ConfigurationError(HookwardenError):
    """A file cannot be used as it is. Holds every problem found, in file order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SignatureRejected(HookwardenError):
    """The one exception a verifier raises, whatever the bytes. `reason` is a short code for the reject log."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class PayloadRejected(HookwardenError):
    """The body is not a JSON object that we can keep. The message may be shown to the (verified) sender."""


class StoreUnavailable(HookwardenError):
    """Nothing was written. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Unusable(HookwardenError, ValueError):
    """The caller gave a value that cannot be used. The message says which and what it takes, and may be shown; that of
    another ValueError, which is a bug, may not.
    """


class NotFound(HookwardenError):
    """Nothing has that name."""


class Conflict(HookwardenError):
    """It exists, but its state does not allow this."""


class VendorError(HookwardenError):
    """A call to a vendor did not give what was asked. `http_status` is None where no answer came."""

    def __init__(self, reason: str, http_status: int | None = None) -> None:
        self.reason = reason
        self.http_status = http_status
        super().__init__(reason)


class VendorUnavailable(VendorError):
    """Try again; `retry_after` (seconds) is what the vendor asked for, if it did. `unsent` says that whatever failed
    could have had no effect: it only read, or its request never left.
    """

    def __init__(
        self,
        reason: str,
        http_status: int | None = None,
        retry_after: float | None = None,
        *,
        unsent: bool = False,
    ) -> None:
        super().__init__(reason, http_status)
        self.retry_after = retry_after
        self.unsent = unsent


class VendorWaiting(VendorError):
    """Nothing was sent: the vendor is parked or its breaker is open. Ask again in `seconds`. `alert` says, the first
    time and not again until it has mended, that somebody must act.
    """

    def __init__(
        self, reason: str, seconds: float, http_status: int | None = None, *, alert: str | None = None
    ) -> None:
        super().__init__(reason, http_status)
        self.seconds = seconds
        self.alert = alert


class VendorRefused(VendorError):
    """The vendor's final no: repeating the same call cannot help."""


class AnswerUnreadable(VendorError):
    """The vendor said yes, but its answer was oversized, broken or not what was promised; the effect may have happened.
    Where `http_status` is None not even the answer's head could be read: it may have been a yes.
    """


class NoOutcome(AnswerUnreadable):
    """What the function that carries an action out gave back is no outcome. What it did is not known, and the next
    attempt would end the same way.
    """


class LinkRefused(VendorError):
    """An image link that names a place we do not go. Nothing was contacted."""
