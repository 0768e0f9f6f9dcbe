"""What each newer `didit.` action does at the vendor, and what becomes of each documented no and each crash."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from handlers.registry import bind
from handlers.sandbox.cast import PARTS, selfie_of
from handlers.sandbox.images import fingerprint, selfie_jpeg, selfie_png
from receiver.contract import RaiseAlert
from receiver.errors import LinkRefused, VendorRefused, VendorUnavailable, VendorWaiting
from tests.support.action_calls import action_call
from tests.support.didit_calls import Hand, Simulated, hand, simulated


@pytest.fixture(scope="module")
def running() -> Iterator[Simulated]:
    with simulated() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Simulated) -> Simulated:
    return running.fresh()


@pytest.fixture
async def run(sandbox: Simulated) -> AsyncIterator[Hand]:
    async with hand(sandbox) as bound:
        yield bound


async def by_hand(run: Hand, name: str, params: Any, **files: bytes) -> Any:
    """An action with files, as from a shell: no session stands behind it."""
    call = replace(action_call(name, params, session_id=None, vendor_data=None), files=files)
    return (await bind(run.tools)[name](call)).result


# pictures


async def test_passive_liveness_tells_an_attack_from_a_person(run: Hand) -> None:
    attack: Any = (await run("didit.passive_liveness", "attack")).result
    assert attack["status"] == "Declined"
    assert "LIVENESS_FACE_ATTACK" in attack["tags"]
    assert attack["score"] < 30
    clean: Any = (await run("didit.passive_liveness", "clean")).result
    assert (clean["status"], clean["threshold"], clean["faces"], clean["age"]) == ("Approved", 30.0, 1, 34)
    assert "gender" not in str(clean)


async def test_the_threshold_is_always_sent(run: Hand, sandbox: Simulated) -> None:
    """Versions of the documentation differ on whether there is a default."""
    result: Any = (await run("didit.passive_liveness", "clean", {"face_liveness_score_decline_threshold": 99.9})).result
    assert (result["status"], result["tags"][0]) == ("Declined", "LOW_LIVENESS_SCORE")
    assert [call.fields["threshold"] for call in sandbox.world.calls.matching("passive-liveness")] == [99.9]


async def test_own_faces_are_left_out_where_the_policy_asks(run: Hand, sandbox: Simulated) -> None:
    alone: Any = (await run("didit.passive_liveness", "clean")).result
    assert "DUPLICATED_FACE" in alone["tags"]  # its own session's
    mine = sandbox.vendor_data("clean")
    result: Any = (await run("didit.passive_liveness", "clean", {"vendor_data": mine})).result
    assert "DUPLICATED_FACE" not in result["tags"]


async def test_no_face(run: Hand, sandbox: Simulated) -> None:
    """At passive liveness a tag, at face match a missing reference, at face search a 400."""
    picture = selfie_png("a wall")
    sandbox.world.state.face_counts[fingerprint(picture)] = 0
    liveness = await by_hand(run, "didit.passive_liveness", {}, image=picture)
    assert (liveness["score"], liveness["tags"], liveness["age"]) == (None, ["NO_FACE_DETECTED"], None)
    match = await by_hand(run, "didit.face_match", {}, image=picture, ref_image=selfie_png("me"))
    assert (match["score"], match["status"], match["tags"]) == (None, "Declined", ["NO_REFERENCE_IMAGE"])
    with pytest.raises(VendorRefused, match="HTTP 400: user_image: No face"):
        await by_hand(run, "didit.face_search", {}, image=picture)


async def test_a_selfie_is_held_against_the_documents_portrait(run: Hand, sandbox: Simulated) -> None:
    result: Any = (await run("didit.face_match", "clean")).result
    assert result["score"] == PARTS["clean"].match_score
    assert [call.fields["image_sha256"] for call in sandbox.world.calls.matching("face-match")] == [
        fingerprint(selfie_of(PARTS["clean"]))
    ]


async def test_strangers_are_approved_only_above_the_threshold(run: Hand, sandbox: Simulated) -> None:
    """The threshold is sent, and a score that only reaches it declines; what is said stands in the tags."""
    pictures = {"image": selfie_png("a"), "ref_image": selfie_jpeg("b")}
    score = sandbox.world.state.similarity(*(fingerprint(picture) for picture in pictures.values()))
    assert 0 < score < 60, "strangers are not alike"
    low = {"face_match_score_decline_threshold": score}
    declined = await by_hand(run, "didit.face_match", low, **pictures)
    assert (declined["status"], declined["score"], declined["threshold"]) == ("Declined", score, score)
    assert declined["tags"] == ["LOW_FACE_MATCH_SIMILARITY"]
    below = {"face_match_score_decline_threshold": score - 0.1}
    approved = await by_hand(run, "didit.face_match", below, **pictures)
    assert (approved["status"], approved["score"], approved["tags"]) == ("Approved", score, [])
    sent = [(call.fields["image_sha256"], call.fields["ref_sha256"]) for call in sandbox.world.calls.matching("match")]
    assert sent == [(fingerprint(pictures["image"]), fingerprint(pictures["ref_image"]))] * 2


async def test_a_document_is_read_once_more(run: Hand) -> None:
    result: Any = (await run("didit.id_verification", "clean")).result
    person = PARTS["clean"].person
    assert (result["full_name"], result["document_number"]) == (person.full_name, person.document_number)
    assert not any(name.endswith("_image") for name in [*result, *(result["extra"] or {})])
    assert "sig=" not in str(result)


async def test_a_pdf_is_taken_for_a_document_and_for_nothing_else(run: Hand) -> None:
    result = await by_hand(run, "didit.id_verification", {"minimum_age": 18}, front_image=b"%PDF-1.4 x")
    assert result["status"] == "Declined"
    assert "NAME_NOT_DETECTED" in result["tags"]
    with pytest.raises(VendorRefused, match="not of a kind"):
        await by_hand(run, "didit.passive_liveness", {}, image=b"%PDF-1.4 x")


async def test_a_link_of_the_policy_is_guarded(run: Hand, sandbox: Simulated) -> None:
    with pytest.raises(LinkRefused):
        await run("didit.passive_liveness", "clean", {"image": "http://169.254.169.254/latest/meta-data"})
    assert sandbox.calls() == []


# sessions


async def test_a_page_of_sessions_names_nobody(run: Hand, sandbox: Simulated) -> None:
    result: Any = (await run("didit.list_sessions", "clean", {"status": "Approved", "limit": 2})).result
    assert (len(result["sessions"]), result["more"], result["count"] > 2) == (2, True, True)
    assert {row["status"] for row in result["sessions"]} == {"Approved"}
    assert set(result["sessions"][0]) == {
        *("session_id", "session_number", "session_kind", "status", "vendor_data", "workflow_id", "created_at")
    }


async def test_the_unfinished_session_is_given_back(run: Hand, sandbox: Simulated) -> None:
    """Also after a crash: no second one is made. The link is handed over and kept nowhere."""
    first = await run("didit.create_session", "clean", {"workflow_id": "w-1", "with_portrait": True})
    second = await run("didit.create_session", "clean", {"workflow_id": "w-1"}, repeated=True)
    one: Any = first.result
    other: Any = second.result
    assert one["session_id"] == other["session_id"]
    assert one["vendor_data"] == sandbox.vendor_data("clean")
    token = sandbox.world.state.sessions[str(one["session_id"])].token
    assert str(first.handover["url"]).endswith(token)
    assert token not in str(first.result)
    assert token not in repr(first)
    assert second.reason is None


async def test_a_portrait_is_held_to_the_smaller_bound(run: Hand, sandbox: Simulated) -> None:
    """2 MB in one text, 1 MB in another."""
    call = replace(
        action_call("didit.create_session", {"workflow_id": "w"}),
        files={"portrait_image": selfie_png("me") + b"x" * 1_000_000},
    )
    with pytest.raises(VendorRefused, match=r"portrait_image: the file has .* bytes, more than 1000000"):
        await bind(run.tools)["didit.create_session"](call)
    assert sandbox.calls() == []


async def test_a_repeat_without_vendor_data_says_that_there_may_be_two(run: Hand) -> None:
    outcome = await run("didit.create_session", "clean", {"workflow_id": "w"}, vendor_data=None, repeated=True)
    assert outcome.reason == "repeated after an interruption: there may be two sessions"


async def test_no_credits_for_a_session_parks_too() -> None:
    """Didit says so by 400 there; any other 400 does not."""
    with simulated(balance=0) as sandbox:
        async with hand(sandbox) as run:
            with pytest.raises(VendorRefused, match="HTTP 400"):
                await run("didit.update_status", "clean", {"status": "Resubmitted"})
            with pytest.raises(VendorWaiting, match="HTTP 400: Not enough credits"):
                await run("didit.create_session", "clean", {"workflow_id": "w"})
            assert run.tools.clients["didit"].parked


@pytest.mark.parametrize("reply", ["json", "empty"])
async def test_a_session_is_deleted_by_either_answer(reply: str) -> None:
    with simulated(delete_reply=reply) as sandbox:
        async with hand(sandbox) as run:
            session_id = sandbox.session("blocklisted")
            assert (await run("didit.delete_session", "blocklisted")).state == "done"
            assert session_id not in sandbox.world.state.sessions
            with pytest.raises(VendorRefused, match="HTTP 404"):
                await run("didit.delete_session", session_id)
            again = await run("didit.delete_session", session_id, attempt=2)
            assert (again.state, again.http_status) == ("noop", 404)
            after_crash = await run("didit.delete_session", session_id, attempt=2, repeated=True)
            assert (after_crash.state, after_crash.http_status) == ("done", 404)
            listed: Any = (await run("didit.blocklist_list")).result
            assert listed["count"] >= 1


async def test_named_steps_sent_back_are_recognised_after_a_crash(run: Hand, sandbox: Simulated) -> None:
    nodes = [{"node_id": "feature_liveness", "feature": "LIVENESS"}]
    params = {"status": "Resubmitted", "nodes_to_resubmit": nodes}
    await run("didit.update_status", "clean", params)
    sandbox.world.state.sessions[sandbox.session("clean")].status = "In Progress"
    outcome = await run("didit.update_status", "clean", params, repeated=True)
    assert outcome.reason == "had taken effect before the interruption"
    assert sandbox.calls("update-status") == [("PATCH", 200)]


async def test_a_report_is_kept_by_its_hash_alone(run: Hand) -> None:
    outcome = await run("didit.generate_pdf")
    content = outcome.handover["pdf"]
    assert isinstance(content, bytes)
    assert content.startswith(b"%PDF-")
    result: Any = outcome.result
    assert (result["bytes"], result["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert "PDF-1.4" not in repr(outcome)


async def test_an_unfinished_session_has_no_report(run: Hand, sandbox: Simulated) -> None:
    """403 is the operation's own no: the vendor is not parked."""
    sandbox.world.state.sessions[sandbox.session("clean")].status = "In Progress"
    with pytest.raises(VendorRefused, match="HTTP 403: A session that is In Progress has no report"):
        await run("didit.generate_pdf")
    assert not run.tools.clients["didit"].parked


async def test_a_session_is_shared_and_imported_once(run: Hand) -> None:
    shared = await run("didit.share_session", "clean", {"for_application_id": "partner"})
    token = str(shared.handover["share_token"])
    assert token not in str(shared.result)
    imported = await run("didit.import_session", "duplicate", {"share_token": token})
    result: Any = imported.result
    assert (imported.http_status, result["status"]) == (201, "Approved")
    assert "sig=" not in str(result)
    with pytest.raises(VendorRefused, match="HTTP 403: The session was imported before"):
        await run("didit.import_session", "duplicate", {"share_token": token})
    outcome = await run("didit.import_session", "duplicate", {"share_token": token}, repeated=True)
    assert (outcome.state, outcome.http_status) == ("failed", 403)
    assert "an earlier attempt may have imported it" in str(outcome.reason)


async def test_an_unfinished_session_is_not_shared(run: Hand, sandbox: Simulated) -> None:
    sandbox.world.state.sessions[sandbox.session("clean")].status = "In Progress"
    with pytest.raises(VendorRefused, match="HTTP 400"):
        await run("didit.share_session", "clean", {"for_application_id": "partner"})


# lists, users, the account


async def test_an_address_goes_on_didits_own_list(run: Hand, sandbox: Simulated) -> None:
    params = {"entry_type": "ip_address", "value": "198.51.100.0/24", "comment": "ring", "metadata": {"case": 7}}
    outcome = await run("didit.list_add", "clean", params)
    result: Any = outcome.result
    (listed,) = [each for each in sandbox.world.state.lists.values() if each.entry_type == "ip_address"]
    (entry,) = listed.entries.values()
    assert (entry.value, entry.comment, entry.metadata) == ("198.51.100.0/24", "ring", {"case": 7})
    assert (result["list_uuid"], result["entry"]) == (listed.uuid, entry.uuid)


async def test_an_entry_that_is_there_is_a_noop_and_after_a_crash_done(run: Hand, sandbox: Simulated) -> None:
    params = {"entry_type": "device_fingerprint", "value": "d3vice"}
    await run("didit.list_add", "clean", params)
    assert (await run("didit.list_add", "clean", params)).state == "noop"
    posts = len(sandbox.calls("/entries/"))
    outcome = await run("didit.list_add", "clean", params, repeated=True)
    assert (outcome.state, outcome.reason) == ("done", "had taken effect before the interruption")
    assert [call[0] for call in sandbox.calls("/entries/")[posts:]] == ["GET"]


async def test_the_session_gives_the_thing(run: Hand, sandbox: Simulated) -> None:
    await run("didit.list_add", "attack", {"entry_type": "face", "from_session": True})
    assert sandbox.session("attack") in {e.session_id for e in sandbox.world.state.blocklist["face"].values()}
    with pytest.raises(VendorRefused, match="HTTP 400: reference_session_id: The session has no wallet_address"):
        await run("didit.list_add", "attack", {"entry_type": "wallet_address", "from_session": True})
    with pytest.raises(VendorRefused, match="HTTP 404"):
        await run("didit.list_add", "attack", {"entry_type": "key", "value": "x", "list_uuid": "no-such-list"})


async def test_a_list_that_cannot_be_told_is_not_guessed(run: Hand, sandbox: Simulated) -> None:
    """A face must not land on an allowlist because a query was not heeded."""
    for each in sandbox.world.state.lists.values():
        each.list_type = "allowlist" if each.entry_type == "face" else each.list_type
    with pytest.raises(VendorRefused, match="Didit has no blocklist for face: name one as `list_uuid`"):
        await run("didit.list_add", "attack", {"entry_type": "face", "from_session": True})


async def test_the_blocklist_is_read_without_names_and_pictures(run: Hand) -> None:
    await run("didit.blocklist_add", "attack", {"face": True, "document": True})
    result: Any = (await run("didit.blocklist_list", "clean", {"item_type": "face"})).result
    assert {item["type"] for item in result["items"]} == {"face"}
    assert set(result["items"][0]) == {"type", "session_id", "session_number", "blocklisted_at"}


async def test_a_user_is_blocked(run: Hand, sandbox: Simulated) -> None:
    await run("didit.user_status", "clean", {"status": "BLOCKED", "reason": "ring"})
    assert sandbox.world.state.users == {sandbox.vendor_data("clean"): "BLOCKED"}
    with pytest.raises(VendorRefused, match="HTTP 400: status"):
        await run("didit.user_status", "clean", {"status": "Declined"})
    with pytest.raises(VendorRefused, match="names no vendor_data"):
        await run("didit.user_status", "clean", {"status": "BLOCKED"}, vendor_data=None)


async def test_a_users_identifier_cannot_change_the_path(run: Hand, sandbox: Simulated) -> None:
    with pytest.raises(VendorRefused, match="HTTP 404: User not found"):
        await run("didit.user_status", "clean", {"status": "BLOCKED", "vendor_data": "../sessions/delete?x=1#y"})
    (call,) = sandbox.world.calls.items
    assert call.path == "/v3/users/../sessions/delete?x=1#y/update-status/"  # one segment, percent-encoded on the wire
    with pytest.raises(VendorRefused, match="cannot stand in a path"):
        await run("didit.user_status", "clean", {"status": "BLOCKED", "vendor_data": ".."})


async def test_the_echo_of_a_users_status_does_not_go_round(run: Hand, sandbox: Simulated) -> None:
    how = {"type": "user.status.updated", "status": "BLOCKED"}
    outcome = await run("didit.user_status", "clean", {"status": "BLOCKED"}, **how)
    assert (outcome.state, sandbox.calls()) == ("noop", [])


async def test_a_low_balance_is_told_once_until_it_is_above_again(run: Hand, sandbox: Simulated) -> None:
    alerts, result = [], {}
    for balance in ("10.0000", "9.9999", "3.5", "9.9999", "10.0001", "0"):
        sandbox.world.state.balance = Decimal(balance)
        outcome = await run("didit.balance", "clean", {"low": "10.00"})
        alerts.append([effect.text for effect in outcome.effects if isinstance(effect, RaiseAlert)])
        result = dict(outcome.result or {})
    assert alerts == [
        *([], ["didit's balance is 9.9999, below 10.00"], [], [], []),
        ["didit's balance is 0.0000, below 10.00"],
    ]
    assert (result["balance"], result["below"]) == ("0.0000", True)


async def test_a_balance_that_is_no_number_is_asked_for_again(run: Hand, sandbox: Simulated) -> None:
    sandbox.world.state.balance = Decimal("NaN")
    with pytest.raises(VendorUnavailable, match="no balance that is a decimal number"):
        await run("didit.balance")
