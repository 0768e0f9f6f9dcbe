"""`hookwarden audit verify`, `prove` and `key`: the record, proved."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from receiver.cli.options import config_option, configuration, json_option, with_store
from receiver.cli.output import FINDINGS, UNUSABLE, print_json
from receiver.errors import NotFound, StoreUnavailable
from receiver.store.port import Store

if TYPE_CHECKING:
    from receiver.audit.findings import Verdict
    from receiver.audit.note import Verifier
    from receiver.audit.persons import Keys
    from receiver.config import Configuration
    from receiver.store.sqlite.evidence import EvidenceFile

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_NO_MASTER = (
    "no master key here opens keys.db: whether persons' keys open, and whose session an event is of, was not verified"
)
_OUT = click.Path(path_type=Path, dir_okay=False, writable=True)


@click.command("verify")
@config_option
@click.option("--since-last", is_flag=True, help="Go on from where the last verification that found nothing ended.")
@click.option(
    "--quick", is_flag=True, help="The tree and its signatures only: no columns, look-up tables, sealed contents."
)
@click.option("--file", is_flag=True, help="The database file, too: its pages, and its indexes against its tables.")
@click.option(
    "--checkpoint", "checkpoints", type=_FILE, multiple=True, help="A note (or many) that was kept elsewhere."
)
@click.option("--key", help="The log's key as it was written down, instead of the one in the data folder.")
@click.option("--export", type=_FILE, help="Verify this export, or proof, instead; no record is needed.")
@json_option
def verify_record(
    config_path: Path,
    since_last: bool,
    quick: bool,
    file: bool,
    checkpoints: tuple[Path, ...],
    key: str | None,
    export: Path | None,
    as_json: bool,
) -> None:
    """Verify that the record is what was signed: every entry, tile and checkpoint, and what entries are found by.

    Works beside a running server. Exit status: 0 intact, 1 damaged, 2 it could not be verified.
    """
    from receiver.store.keycheck import KeyEvidence
    from receiver.store.sqlite.evidence import EvidenceFile

    given = _key(key) if key else None
    if export is not None:
        _check_file(export, given, as_json=as_json)
        return
    settings = configuration(config_path, "lenient").settings
    data_dir, keys = settings.data_dir, None
    record = EvidenceFile(data_dir)
    try:
        record.must_fit()
        keys = None if quick else KeyEvidence.beside(data_dir, settings.audit.master_key)
        verdict = _verified(
            record, data_dir, given, checkpoints, since_last=since_last, quick=quick, file=file, keys=keys
        )
    finally:
        record.close()
        if keys is not None:
            keys.close()
    if keys is not None and not keys.opens:
        click.echo(f"hookwarden: {_NO_MASTER}", err=True)
    if as_json:
        print_json(verdict.document())
    else:
        _print_verdict(verdict)
    if not verdict.fine:
        sys.exit(FINDINGS)


def _verified(
    record: EvidenceFile,
    data_dir: Path,
    key: Verifier | None,
    checkpoints: tuple[Path, ...],
    *,
    since_last: bool,
    quick: bool,
    file: bool,
    keys: Keys | None,
) -> Verdict:
    from receiver.audit.evidence import Known
    from receiver.audit.verify import verify
    from receiver.store.sqlite.walking import walks
    from receiver.store.verified import Journal, Verified, load, save

    state = data_dir / "verified.json"
    before = load(state) if since_last else None
    with record.read() as reader:
        until = max((size for size, _ in reader.signed() if type(size) is int), default=0)
    journal = Journal(data_dir / "checkpoints.log", before)  # after these were written to it
    verdict = verify(
        record.read,
        key or _own_key(record, data_dir),
        journal=journal.notes(),
        kept=[note for path in checkpoints for note in _notes_of(path)],
        since=before.known if before else None,
        journal_rewritten=journal.rewritten,
        journal_until=until,
        quick=quick,
        file=file,
        walks=walks(data_dir, quick=quick),
        keys=keys,
    )
    if verdict.fine and not quick:
        try:
            save(state, Verified(Known(verdict.size, verdict.root), journal.read_bytes, journal.sha256))
        except OSError as fault:
            click.echo(
                f"hookwarden: {state} could not be written, so --since-last begins anew: {fault.strerror}", err=True
            )
    return verdict


def _notes_of(path: Path) -> Iterator[Any]:
    from receiver.audit.evidence import Kept
    from receiver.audit.journal import placed

    count = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for line, note in placed(file):
            count += 1
            yield Kept(f"{path}, line {line}", note)
    if not count:
        raise click.UsageError(f"{path} holds no checkpoint: a signed note of three lines, an empty one, a signature")


def _own_key(record: EvidenceFile, data_dir: Path) -> Verifier:
    from receiver.audit.note import NoteError, Signer
    from receiver.store.signing import read_or_make

    with record.read() as reader:
        origin = reader.origin()
    private = read_or_make(data_dir / "signing.key", signed_before=True)
    try:
        return Signer(origin, private).verifier
    except NoteError:
        what = "the record does not say its log's name any more: restore a backup, or give --key"
        raise StoreUnavailable(what) from None


def _key_at_hand(config_path: Path) -> tuple[Verifier, Path] | None:
    """The key of the log that the configuration leads to, with its folder; None where there is none to read."""
    from receiver.store.sqlite.evidence import EvidenceFile

    if not config_path.exists():
        return None
    data_dir = configuration(config_path, "lenient").settings.data_dir
    if not all((data_dir / name).exists() for name in ("hookwarden.db", "signing.key")):
        return None
    record = EvidenceFile(data_dir)
    try:
        return _own_key(record, data_dir), data_dir
    finally:
        record.close()


def _key(text: str) -> Verifier:
    from receiver.audit.note import NoteError, Verifier

    try:
        return Verifier.read(text)
    except NoteError as fault:
        raise click.UsageError(f"--key: {fault}") from None


def _print_verdict(verdict: Verdict) -> None:
    from receiver.cli.excerpt import printable

    span = f"entries {verdict.first}-{verdict.size - 1}" if verdict.size > verdict.first else "no entries"
    went_on = f", of which those before {verdict.since} were verified earlier" if verdict.since else ""
    if verdict.fine:
        click.echo(f"The record is intact: {span}{went_on}.")
        click.echo(f"root {verdict.root.hex()} of {verdict.size} entries; {verdict.notes} checkpoints fit it.")
        if verdict.unsigned:
            click.echo(f"The last {verdict.unsigned} entries are not signed yet: the next checkpoint covers them.")
        return
    click.echo(f"THE RECORD IS DAMAGED ({span}{went_on}).")
    for kind, count in verdict.counts.items():
        shown = [finding for finding in verdict.findings if finding.kind == kind]
        for finding in shown:
            click.echo(f"  {printable(str(finding))}")
        if count > len(shown):
            click.echo(f"  ... and {count - len(shown)} more of this kind")
        click.echo(f"    do: {shown[0].cure}")


def _check_file(path: Path, key: Verifier | None, *, as_json: bool) -> None:
    from receiver.audit.offline import CheckFailed, check_file
    from receiver.audit.strict import NotReadable

    status, said = 0, ""
    try:
        said = check_file(path, key)
    except CheckFailed as fault:
        status, said = FINDINGS, str(fault)
    except NotReadable as fault:
        status, said = UNUSABLE, str(fault)
    verdict = ("holds", "does not hold", "cannot be checked")[status]
    if as_json:
        print_json({"verdict": verdict, "file": str(path), "message": said})
    else:
        click.echo(f"{verdict}: {said}", err=bool(status))
    sys.exit(status)


@click.command("key")
@with_store
@json_option
def show_key(store: Store, as_json: bool) -> None:
    """Print the log's verifier key (C2SP vkey). Keep it where this machine's owner cannot change it."""
    key = store.verifier
    if as_json:
        print_json({"vkey": str(key), "origin": key.name, "id": key.id.hex()})
    else:
        click.echo(str(key))


@click.command("prove")
@click.argument("idx", type=click.IntRange(0), required=False)
@config_option
@click.option("--from", "old", type=click.IntRange(1), help="Prove that this many entries ...")
@click.option(
    "--to", "new", type=click.IntRange(1), help="... are the beginning of that many; the newest checkpoint's."
)
@click.option("--format", "form", type=click.Choice(("json", "tlog")), default="json", show_default=True)
@click.option("-o", "--output", type=_OUT, help="Write to this file.")
@click.option("--check", "file", type=_FILE, help="Check a proof, or the receipt of an erasure, instead.")
@click.option("--key", help="The log's key, as `hookwarden audit key` prints it.  [default: that of the log here]")
def prove(idx: int | None, file: Path | None, key: str | None, **options: Any) -> None:
    """Prove that entry IDX is in the record, or that an older state of it is the beginning of a newer one.

    A proof is checked with `hookwarden audit prove --check FILE --key VKEY`, or with nothing but Python's
    `cryptography`: `python -m receiver.audit.offline FILE --key VKEY`. `--format tlog` writes C2SP tlog-proof.
    """
    if file is not None:
        own = None if key else _key_at_hand(options["config_path"])
        if own is not None:
            click.echo(f"with the key of the log in {own[1]}: {own[0]}")
        _check_file(file, _key(key) if key else own and own[0], as_json=False)
    elif (idx is None) == (options["old"] is None):
        raise click.UsageError("give the index of an entry, or --from and --to, or --check FILE")
    elif options["form"] == "tlog" and idx is None:
        raise click.UsageError("--format tlog is for the proof of one entry")
    else:
        with_store(_prove)(idx=idx, **options)


def _prove(
    store: Store,
    idx: int | None,
    old: int | None,
    new: int | None,
    form: str,
    output: Path | None,
    configured: Configuration,
) -> None:
    import json

    from receiver.audit.prove import as_tlog_proof
    from receiver.proofs import entry_document

    if idx is not None:
        document = entry_document(store, idx)
    else:
        assert old is not None
        document = _prove_growth(store, old, new, configured.settings.data_dir / "checkpoints.log")
    text = as_tlog_proof(document) if form == "tlog" else json.dumps(document, indent=2) + "\n"
    with _output(output) as write:
        write(text)


@contextmanager
def _output(path: Path | None) -> Iterator[Any]:
    if path is None:
        yield lambda text: click.echo(text, nl=False)
        return
    with path.open("w", encoding="utf-8") as file:
        yield file.write


def _prove_growth(store: Store, old: int, new: int | None, log: Path) -> dict[str, Any]:
    from receiver.audit.prove import growth_proof
    from receiver.audit.tree import TreeError
    from receiver.proofs import checked, covering, sound

    with store.read() as reader:
        size = reader.tree_size()
    if max(old, new or 0) > size:
        raise NotFound(f"the record has {size} entries, not {max(old, new or 0)}")
    note, checkpoint = covering(store, new or 1)
    last = new or checkpoint.size
    if old > last:
        raise click.UsageError(f"--from {old} is more than --to {last}")
    notes = {checkpoint.size: note, **_known_notes(log, {old, last}, store.verifier)}
    if last not in notes:
        raise NotFound(f"no checkpoint of {last} entries was signed; leave --to out to take the newest one")
    with store.read() as reader, sound(f"the growth from {old} entries to {last}"):
        try:
            return checked(growth_proof(old, last, notes, reader.tile), store.verifier)
        except TreeError:
            first = reader.first_idx()
            if not first:
                raise
            what = f"what led to it was pruned; from {first} on every size can be proved, before only multiples of 256"
            raise NotFound(f"no state of {old} entries: {what}") from None


def _known_notes(log: Path, sizes: set[int], key: Verifier) -> dict[int, str]:
    """The notes of these sizes in checkpoints.log."""
    from receiver.audit.journal import placed
    from receiver.audit.note import NoteError, open_checkpoint

    found: dict[int, str] = {}
    if not log.exists():
        return found
    with log.open(encoding="utf-8", errors="replace") as file:
        for _, note in placed(file):
            if any(f"\n{size}\n" in note for size in sizes):
                try:
                    found[open_checkpoint(note, key).size] = note
                except NoteError:
                    continue
    return found
