"""A package of somebody else's: the one that README shows, installed for real and run from YAML."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import free_port, program, run
from tests.support.receiver import TOKENS, liveness, session_event, signed, write_configuration
from tests.support.vendor_stub import VendorStub, answer, vendor_stub

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
POLICY: dict[str, Any] = {
    "version": 1,
    "name": "ours",
    "rules": [{"id": "ask", "tags": {"any": ["LIVENESS_FACE_ATTACK"]}, "then": [{"acme.check": {"level": 2}}]}],
}


def block(section: str, language: str) -> str:
    """The first code block of a language in a section of the README."""
    found = re.search(rf"^## {section}$.*?```{language}\n(.*?)```", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def install(folder: Path, code: str, project: str) -> Path:
    """Build and install a package into a folder of its own, which it gives."""
    source, target = folder / "source", folder / "installed"
    source.mkdir()
    (source / "acme_hookwarden.py").write_text(code, encoding="utf-8")
    (source / "pyproject.toml").write_text(project, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target"]
    subprocess.run([*pip, str(target), str(source)], check=True, capture_output=True, timeout=120)
    return target


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    section = "Write an action of your own"
    return install(tmp_path_factory.mktemp("package"), block(section, "python"), block(section, "toml"))


@pytest.fixture
async def acme() -> AsyncIterator[VendorStub]:
    async with vendor_stub(answer(200, {"verdict": "fine"})) as running:
        yield running


def vendors(url: str) -> dict[str, Any]:
    return {"acme": {"base_url": url, "api_key": "an-invented-key"}}


def with_package(package: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(package)}


def hookwarden(home: Path, package: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(*arguments, cwd=home, env=with_package(package) if package else {})


def test_without_the_package_its_names_are_unknown(tmp_path: Path) -> None:
    write_configuration(tmp_path, POLICY, vendors=vendors("http://127.0.0.1:9"))
    done = hookwarden(tmp_path, None, "check", "config.yaml")
    assert done.returncode == 1
    assert "unknown vendor 'acme'" in done.stdout
    assert "acme.check" in done.stdout


def test_with_it_its_parameters_are_checked(tmp_path: Path, package: Path) -> None:
    policy = json.loads(json.dumps(POLICY).replace('"level": 2', '"level": 9'))
    write_configuration(tmp_path, policy, vendors=vendors("http://127.0.0.1:9"))
    done = hookwarden(tmp_path, package, "check", "config.yaml")
    assert done.returncode == 1
    assert "unknown" not in done.stdout
    assert "less than or equal to 5" in done.stdout


async def test_a_rule_calls_it(tmp_path: Path, package: Path, acme: VendorStub) -> None:
    write_configuration(tmp_path, POLICY, vendors=vendors(acme.url))
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def story() -> dict[str, Any]:
        with program("serve", "--port", str(port), cwd=tmp_path, url=url, env=with_package(package)) as server:
            server.await_ready()
            body = json.dumps(session_event("s1", decision=liveness("LIVENESS_FACE_ATTACK"))).encode()
            sent = httpx.post(f"{url}/webhooks/didit", content=body, headers=signed(body))
            event_id = sent.json()["event_id"]
            document: dict[str, Any] = {}
            headers = {"Authorization": f"Bearer {TOKENS['operator']}"}
            for _ in range(200):
                document = httpx.get(f"{url}/api/events/{event_id}", headers=headers).json()
                if document["actions"][0]["state"] == "done":
                    return document
        raise AssertionError(document)

    document = await asyncio.to_thread(story)
    (action,) = document["actions"]
    assert (action["name"], action["result"]) == ("acme.check", {"verdict": "fine"})
    (seen,) = acme.seen
    assert seen.headers["authorization"] == "Bearer an-invented-key"
    assert seen.json() == {"session": "s1", "level": 2}


def test_a_package_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    section = "Write an action of your own"
    broken = install(tmp_path, "raise RuntimeError('not today')\n", block(section, "toml"))
    write_configuration(tmp_path, POLICY, vendors=vendors("http://127.0.0.1:9"))
    done = hookwarden(tmp_path, broken, "check", "config.yaml")
    assert done.returncode == 1
    assert "package acme-hookwarden" in done.stderr + done.stdout
    assert "RuntimeError: not today" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
