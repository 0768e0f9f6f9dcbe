"""The policy in force, and how another one comes to be it.

A new version comes from the files (they changed) or from a person (`PUT /api/policy`). Either way it is compiled beside
the running one, stored with its hash, and only then swapped in, by one assignment: a decision never sees half of a
change, and no version decides that the record does not hold. One that is refused changes nothing.
"""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

import structlog

from receiver.config import Compile, Configuration, load_compiled, load_configuration, policy_names
from receiver.errors import ConfigurationError, Conflict, HookwardenError, Problem, StoreUnavailable, Unusable
from receiver.files import alone, fingerprint, sweep
from receiver.gently import gently
from receiver.policy.compile import Policy, canonical_text
from receiver.replacement import replace_within
from receiver.settings import Settings
from receiver.store.port import Transaction
from receiver.textfiles import Texts, read_text
from receiver.withheld import without_settings
from receiver.yamltext import Document, read_yaml

Result: TypeAlias = Literal["taken", "refused"]


class Submits(Protocol):
    """What is asked of the store."""

    def submit(self, job: Callable[[Transaction], None]) -> Future[None]:
        """Run a job in the next commit, as `Store.submit` does."""
        ...


_UNREADABLE = ("C001", "C007")  # may pass without any change of a file (out of descriptors), unless the file is missing

_LOCK: Final = "publication.lock"  # in the data folder
_PATIENCE: Final = 5.0  # seconds to wait for others who publish
_MANY_RULES: Final = 10  # of a smaller policy half is lost by ordinary edits
_LOGGED: Final = 100  # findings of one version

log = structlog.get_logger()


class Outdated(HookwardenError):
    """The version that a change was made from is not the running one: somebody was faster."""


@dataclass(frozen=True, slots=True)
class Version:
    """A policy with what it was made of. `files` are the names in config.yaml, none for an inline one; `at` (Unix
    milliseconds) and `actor` say when and by whom it was taken into use.
    """

    policy: Policy
    documents: tuple[Document, ...]
    files: tuple[str, ...]
    at: int
    actor: str

    @property
    def inline(self) -> bool:
        """Whether it stands in config.yaml itself."""
        return not self.files

    @property
    def texts(self) -> tuple[str, ...]:
        """What its hash is of."""
        return _texts(self.documents, inline=self.inline)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the files hold now is not used: since when (Unix milliseconds), and why."""

    at: int
    problems: tuple[Problem, ...]
    public: tuple[Problem, ...]  # the same, for those who may not see what the settings hold


class Publication:
    """Holds the version in force. Changes happen one at a time, in whichever thread asks; reading never waits."""

    def __init__(
        self,
        configuration: Configuration,
        policy: Policy,
        compile_policy: Compile,
        store: Submits,
        clock: Callable[[], int],
        observe: Callable[[Result], None] = lambda _: None,
    ) -> None:
        self._path = configuration.path
        self._settings = configuration.settings
        self._warned = self._settings.model_copy(update={"policy": None})
        self._compile = compile_policy
        self._store = store
        self._clock = clock
        self._observe = observe
        self._lock = threading.Lock()
        files = policy_names(configuration.settings.policy)
        self.version = Version(policy, configuration.policies, files, clock(), "serve")
        self.refused: Refusal | None = None
        self.watched = self._paths(files)

    def __call__(self) -> Policy:
        """The policy in force."""
        return self.version.policy

    def begin(self) -> None:
        """Store the version that the program starts with, tell of its warnings, and remove what a publication that died
        left beside a file. Raises StoreUnavailable.
        """
        version = self.version
        with contextlib.suppress(StoreUnavailable), self._alone():  # what is left is left for the next start
            for file in version.files:
                sweep(self._path.parent / file)
        self._store.submit(lambda tx: take_into_use(tx, version.policy, version.actor, version.at)).result()
        _log_start(version)

    def reread(self, steady: Callable[[], bool], *, confirmed: bool = False) -> bool:
        """Take what the files say now, or refuse it; neither, if they are not `steady` while they are read. Where most
        rules are gone, somebody must have `confirmed` that it is meant.

        False: not settled, so this should be called again though no file changes.
        """
        texts = Texts(self.watched)
        with self._turn():
            try:
                with gently():
                    configuration, policy = load_compiled(self._path, self._compiled, read=texts)
            except ConfigurationError as error:
                named = self._named()
                self.watched = self._paths(named)
                if steady():
                    self._refuse(error.problems)
                return self._missing(named) >= sum(problem.code in _UNREADABLE for problem in error.problems)
            files = policy_names(configuration.settings.policy)
            self.watched = self._paths(files)
            if not steady():
                return False
            cut = () if confirmed else _cut_short(self.version.policy, policy, configuration.policies)
            if cut:
                self._refuse(cut)
                return True
            return self._accept(configuration, policy, files)

    def propose(self, text: str, file: str | None = None) -> Version:
        """What the policy would be with this text in place of a file (of all of it, where it stands inline). Nothing is
        written. Raises ConfigurationError with every finding, Unusable for a file that is not of the policy.
        """
        version = self.version
        place = self._place(version, file)
        with gently():
            new = read_yaml(text, _shown(version.documents[place], version))
            documents = (*version.documents[:place], new, *version.documents[place + 1 :])
            policy = self._compile(documents, version.inline)
        return Version(policy, documents, version.files, self._clock(), "proposed")

    def texts_with(self, text: str, file: str | None = None) -> list[tuple[str, str]]:
        """The same, not read yet: path and text of each document. Raises Unusable."""
        version = self.version
        texts = [
            (_shown(document, version), text) for document, text in zip(version.documents, version.texts, strict=True)
        ]
        place = self._place(version, file)
        texts[place] = (texts[place][0], text)
        return texts

    def publish(self, content: bytes, file: str | None, edited_from: str, actor: str) -> Version:
        """Write the file, store the version, use it; `edited_from` is the hash that must be in force.

        Raises Outdated where it is not, Conflict where there is no file, somebody else has changed one or it cannot be
        written, and ConfigurationError, Unusable, StoreUnavailable, after all of which nothing has changed.
        """
        with self._alone(), self._turn():
            running = self.version
            if running.inline:
                raise Conflict(
                    f"the policy stands in {self._path.name} itself, which is not written: move it to a file of its"
                    " own, such as `policy: policies/face.yaml`, and publish that"
                )
            name = running.files[self._place(running, file)]
            if edited_from != running.policy.ref.sha256:
                said = f'the running version is "{running.policy.ref.sha256}", and `If-Match` does not name it'
                raise Outdated(f"{said}: read it, and make your change to that")
            text = read_content(content)
            self._undisturbed(name, text)
            proposed = self.propose(text, name)
            if proposed.texts == running.texts:
                return running
            version = Version(proposed.policy, proposed.documents, proposed.files, self._clock(), actor)
            replace_within(self._path.parent / name, content, lambda swap: self._take(version, version.actor, swap))
            return version

    def _undisturbed(self, name: str, text: str) -> None:
        """Nobody's edit may be lost: the files must hold what is running, or this text already. Raises Conflict."""
        cure = "put it right, or put the running version back (`text` of GET /api/policy), then publish"
        try:
            texts = Texts(self.watched)
            with gently():
                configuration = load_configuration(self._path, read=texts)
        except ConfigurationError as error:
            said = f"what is on disk cannot be used ({error.problems[0]}), so it is not written over"
            raise Conflict(f"{said}: {cure}") from None
        running, files = self.version, policy_names(configuration.settings.policy)
        found = _texts(configuration.policies, inline=configuration.inline_policy)
        new = tuple(text if file == name else old for file, old in zip(running.files, running.texts, strict=True))
        if files != running.files or found not in (running.texts, new):
            raise Conflict(
                f"a file was edited since the running version was taken: wait until it is taken; else {cure}"
            )

    def _accept(self, configuration: Configuration, policy: Policy, files: tuple[str, ...]) -> bool:
        self._warn_of_settings(configuration.settings)
        version = Version(policy, configuration.policies, files, self._clock(), "file")
        if policy is not self.version.policy:
            try:
                self._take(version)
            except StoreUnavailable as trouble:
                log.warning("policy not taken into use yet", sha256=policy.ref.sha256, why=str(trouble))
                return False
        else:  # the same text, perhaps in a file of another name
            self.version = replace(self.version, documents=configuration.policies, files=files)
            if self.refused is not None:
                log.info("the files hold the running policy again", sha256=policy.ref.sha256)
        self.refused = None
        return True

    def _take(self, version: Version, author: str | None = None, last: Callable[[], None] = lambda: None) -> None:
        def keep(tx: Transaction) -> None:
            take_into_use(tx, version.policy, version.actor, version.at, author)
            last()

        self._store.submit(keep).result()
        before, self.version = len(self.version.policy.rules), version
        self.refused = None
        self.watched = self._paths(version.files)
        self._observe("taken")
        _log_taken(version, before)

    def _refuse(self, problems: tuple[Problem, ...]) -> None:
        """Say it once: a file that stays as bad as it was is no news."""
        if self.refused is not None and self.refused.problems == problems:
            return
        self.refused = Refusal(self._clock(), problems, without_settings(problems, self._path))
        self._observe("refused")
        log.error("policy refused; the one in force serves on", sha256=self.version.policy.ref.sha256)
        _log_findings(self.refused.public)

    def _compiled(self, documents: Sequence[Document], inline: bool) -> Policy:
        """Compiled, unless it is what is running: a file that was touched costs no compiling."""
        running = self.version
        same = inline == running.inline and _texts(documents, inline=inline) == running.texts
        return running.policy if same else self._compile(documents, inline)

    def _warn_of_settings(self, settings: Settings) -> None:
        bare = settings.model_copy(update={"policy": None})
        if bare == self._warned:
            return
        self._warned = bare
        changed = [
            name
            for name in Settings.model_fields
            if name != "policy" and getattr(bare, name) != getattr(self._settings, name)
        ]
        if changed:
            log.warning("settings changed that are read at the start only: restart to use them", keys=changed)

    @staticmethod
    def _place(version: Version, file: str | None) -> int:
        """Which document is meant. Raises Unusable."""
        files = version.files
        if file is None and len(files) <= 1:
            return 0
        if file in files:
            return files.index(file)
        known = ", ".join(files) or "none, the policy stands in config.yaml itself"
        wrong = f"{file!r} is no file of the policy" if file is not None else "the policy has several files"
        raise Unusable(f"{wrong}: `file` must be one of those that config.yaml names ({known})")

    def _named(self) -> tuple[str, ...]:
        """The files that config.yaml names, if that can be told: one that is missing may come."""
        try:
            value = read_yaml(read_text(self._path), str(self._path)).value
        except ConfigurationError:
            return ()
        return policy_names(value.get("policy")) if isinstance(value, dict) else ()

    def _missing(self, files: Sequence[str]) -> int:
        """How many of config.yaml and these files are not there: when one comes, it is seen."""
        return fingerprint((self._path, *(self._path.parent / file for file in files))).count(None)

    def _paths(self, files: Sequence[str]) -> tuple[Path, ...]:
        names = dict.fromkeys((*self.version.files, *files))
        return (self._path, *(self._path.parent / name for name in names))

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One change at a time. Raises StoreUnavailable if the one before does not end."""
        if not self._lock.acquire(timeout=_PATIENCE):
            raise StoreUnavailable("another change of the policy is under way; nothing has changed")
        try:
            yield
        finally:
            self._lock.release()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Other processes over the same data publish before or after, not in between."""
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(alone(self._settings.data_dir / _LOCK, _PATIENCE))
            except TimeoutError:
                raise StoreUnavailable(
                    "another process is publishing, or holds the lock; nothing has changed"
                ) from None
            except OSError as error:
                raise StoreUnavailable(f"the data folder cannot be used: {error.strerror}") from None
            yield


def _cut_short(running: Policy, policy: Policy, documents: Sequence[Document]) -> tuple[Problem, ...]:
    """A file that is copied in part may still be a policy, one that protects nobody."""
    before, gone = len(running.rules), len(running.rules) - len(policy.rules)
    if before < _MANY_RULES or gone * 2 <= before:
        return ()
    said = (
        f"{gone} of {before} rules are gone: was the file cut short? If this is meant, send SIGHUP to the server, or"
        " PUT the policy"
    )
    path = documents[0].path if documents else ""
    return (Problem(path, 1, 1, "error", "C010", said),)


def _log_start(version: Version) -> None:
    """In one line: whoever wrote the version saw each of them."""
    ref, warnings = version.policy.ref, version.policy.warnings
    if warnings:
        codes = sorted({warning.code for warning in warnings})
        said = "the policy has warnings: `hookwarden check` shows them"
        log.warning(said, name=ref.name, sha256=ref.sha256, count=len(warnings), codes=codes)


def _log_taken(version: Version, before: int) -> None:
    ref, rules = version.policy.ref, f"{before} -> {len(version.policy.rules)}"
    log.info("policy taken into use", name=ref.name, sha256=ref.sha256, mode=ref.mode, actor=version.actor, rules=rules)
    _log_findings(version.policy.warnings)


def _log_findings(problems: Sequence[Problem]) -> None:
    """Not more than a person reads."""
    for problem in problems[:_LOGGED]:
        level = log.error if problem.severity == "error" else log.warning
        level("policy finding", finding=str(problem))
    if len(problems) > _LOGGED:
        log.warning("more policy findings: `hookwarden check` shows all", count=len(problems) - _LOGGED)


def take_into_use(tx: Transaction, policy: Policy, actor: str, at: int, author: str | None = None) -> None:
    """The record keeps every policy version that decided, and says who took it into use and when. A version that was
    in use before is taken into use anew; its author stays who it was.
    """
    tx.add_policy(policy.ref.sha256, policy.ref.name, policy.text, author, at)
    tx.add_note("policy", actor, at, {"policy_sha256": policy.ref.sha256, "name": policy.ref.name})


def read_content(content: bytes) -> str:
    """Bytes as a file that holds them is read: UTF-8, with or without BOM, each line end as one. Raises Unusable."""
    try:
        return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig").read()
    except UnicodeDecodeError as error:
        raise Unusable(f"the policy is not UTF-8 text (byte {error.start})") from None


def _shown(document: Document, version: Version) -> str:
    """How findings call a proposed document."""
    return "policy" if version.inline else document.path


def _texts(documents: Sequence[Document], *, inline: bool) -> tuple[str, ...]:
    return tuple(canonical_text(document.value) if inline else document.text for document in documents)
