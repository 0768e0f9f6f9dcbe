"""Where sealed parts stand: the additional data that binds each ciphertext to its row."""

from __future__ import annotations


def body_place(event_id: str) -> bytes:
    """The body of an event, as it was sent."""
    return f"event {event_id} body".encode()


def document_place(event_id: str) -> bytes:
    """The normalised event."""
    return f"event {event_id} document".encode()


def biometric_place(event_id: str) -> bytes:
    """What is biometric in the normalised event."""
    return f"event {event_id} biometric".encode()


def decision_place(event_id: str, at: int) -> bytes:
    """A decision of an event."""
    return f"event {event_id} decision {at}".encode()


def params_place(action_id: str) -> bytes:
    """The parameters of an action."""
    return f"action {action_id} params".encode()


def result_place(action_id: str, attempt: int) -> bytes:
    """What an attempt gave."""
    return f"action {action_id} result {attempt}".encode()


def deed_place(action_id: str, act: str, at: int) -> bytes:
    """Why a person did something to an action."""
    return f"action {action_id} {act} {at}".encode()


def review_place(review_id: str, part: str) -> bytes:
    """The reason or the note of a case."""
    return f"review {review_id} {part}".encode()


def erasure_place(ref: bytes, at: int) -> bytes:
    """Why a person was erased."""
    return b"erasure %s %d" % (ref.hex().encode(), at)


def hold_place(number: int) -> bytes:
    """Why a person is held."""
    return f"hold {number}".encode()


def subject_place(source: str, session_id: str) -> bytes:
    """The subject of a session."""
    return f"session {source} {session_id} subject".encode()
