"""Every call that leaves the house, once: Didit's (`didit_calls`), KwikID's, Verifik's, and our own messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx

from handlers.specs import SPECS
from tests.support.didit_calls import CASES, KEY, Case, Simulated
from tests.support.didit_sandbox import Inbox, inbox

FACE = {"bucket": "customers", "external_image_id": "cust-20417"}
CUSTOMER = "whsec_dGhpcnR5LXR3byBieXRlcyBvZiBhIG1hZGUtdXAga2V5"
TOLD = "/webhooks/didit"  # where the inbox listens
OTHERS = (
    Case("kwikid.liveness", "POST", "/liveness", {}, "clean", 'result.status == "Approved"'),
    Case("kwikid.liveness_v2", "POST", "/v2/liveness", {}, "attack", '"LIVENESS_FACE_ATTACK" in result.tags'),
    Case("kwikid.delete_face", "POST", "/delete_faces_from_collection", FACE, "clean", ""),
    Case("verifik.liveness", "POST", "/v2/face-recognition/liveness", {}, "clean", "result.score > 0.6"),
    Case("verifik.app_registration", "GET", "/app-registrations/", {}, "clean", 'result.status == "Approved"', "reads"),
)
MESSAGES = (
    Case("http.post", "POST", TOLD, {"to": "core", "type": "seen", "data": {"n": 1}}, "clean", "result.bytes > 10"),
    Case("notify", "POST", TOLD, {"to": "ops", "message": "look at it"}, "clean", ""),
)
EVERY = (*CASES, *OTHERS, *MESSAGES)


def leaves(name: str) -> bool:
    """Whether an action calls somebody: a vendor, or one of the operator's own places."""
    return SPECS[name].vendor is not None or SPECS[name].target is not None


def prepare(sandbox: Simulated, case: Case) -> Case:
    """The sandbox as after the start, with what the call needs there; and the call, with what only now is known."""
    sandbox.fresh()
    params = dict(case.params)
    if case.name == "didit.import_session":
        params["share_token"] = sandbox.token()
    if case.name == "kwikid.delete_face":
        _posted(f"{sandbox.url}/index_faces", {"image": "aGk=", "image_key": "k", **FACE})
    if case.name == "verifik.app_registration":
        registration = {"_id": sandbox.session(case.scenario), "status": "COMPLETED"}
        _posted(f"{sandbox.url}/_sandbox/registrations", registration)
    return Case(**{**{name: getattr(case, name) for name in Case.__dataclass_fields__}, "params": params})


def _posted(url: str, body: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    assert httpx.post(url, json=body, headers=headers, timeout=10, trust_env=False).status_code == 200


@contextmanager
def places() -> Iterator[Inbox]:
    """A receiver of our own, for `http.post` and `notify`."""
    with inbox() as box:
        yield box


def sections(sandbox: Simulated, box: Inbox) -> dict[str, Any]:
    """The sections of config.yaml with which every call can be made."""
    return {
        "vendors": {name: {"base_url": sandbox.url, "api_key": KEY} for name in ("didit", "kwikid", "verifik")},
        "images": {"allow_hosts": [urlsplit(sandbox.url).netloc]},
        "hooks": {"core": {"url": box.url, "secret": CUSTOMER}},
        "notify": {"ops": box.url.replace("http://", "json://")},
    }


def came(sandbox: Simulated, box: Inbox, case: Case) -> list[str]:
    """The methods of what came to where this call goes."""
    if case in MESSAGES or case.path == TOLD:
        return ["POST" for _ in box.deliveries]
    return [method for method, _ in sandbox.calls(case.path)]
