"""The list of calls that came, so that a test or the demo can ask which ones did. Holds no image and no signed link."""

from __future__ import annotations

from dataclasses import dataclass, field

from receiver.contract import JsonObject


@dataclass(slots=True)
class Call:
    """One call. `fields` are the key fields of its body or query; `status` is None while it runs and when the
    connection was dropped; `fault` names the fault that struck it.
    """

    n: int
    at: float
    method: str
    path: str
    fields: JsonObject = field(default_factory=dict)
    status: int | None = None
    fault: str | None = None

    def document(self) -> JsonObject:
        """The call as /_sandbox/calls shows it."""
        return {
            "n": self.n,
            "at": self.at,
            "method": self.method,
            "path": self.path,
            "fields": self.fields,
            "status": self.status,
            "fault": self.fault,
        }


class CallLog:
    """Calls in the order of their coming."""

    def __init__(self) -> None:
        self.items: list[Call] = []

    def open(self, at: float, method: str, path: str) -> Call:
        """Note a call that begins."""
        call = Call(len(self.items) + 1, at, method, path)
        self.items.append(call)
        return call

    def matching(self, path: str = "", method: str = "") -> list[Call]:
        """Calls whose path contains `path`, by `method` (any where empty)."""
        return [call for call in self.items if path in call.path and method in ("", call.method)]
