"""How a simulation is shown: as text for people, as rows for spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table
from rich.text import Text

from receiver.cli.output import cell
from receiver.policy.differences import Difference, state_of
from receiver.policy.shadow import Shadowed
from receiver.store.documents import iso

Row: TypeAlias = tuple[str, ...]

DIFFERENCE_COLUMNS: Row = tuple(
    "event_id received_at old_outcome new_outcome old_status new_status rules actions".split()
)
SHADOW_COLUMNS: Row = tuple("event_id received_at rule state fired_alone status would_set actions".split())
_LONGEST_VALUE = 120  # characters of a value on a line


def difference_row(found: Difference) -> Row:
    """A difference as a row; nothing in it starts like a formula."""
    rules = "; ".join(f"{change.rule}: {change.was} > {change.becomes}" for change in found.rules)
    actions = "; ".join(f"{change.kind} {change.name}" for change in found.actions)
    old, new = found.old, found.new
    return (
        found.event_id,
        iso(found.received_at),
        old.outcome,
        new.outcome,
        _harmless(old.status),
        _harmless(new.status),
        rules,
        actions,
    )


def shadow_row(found: Shadowed) -> Row:
    """What a rule in shadow came to, as a row."""
    actions = "; ".join(action.name for action in found.actions)
    alone = "yes" if found.rule.fired and found.alone else "no"
    state = state_of(found.rule)
    row = (found.event_id, iso(found.received_at), found.rule.id, state, alone)
    return (*row, _harmless(found.status), _harmless(found.sets), actions)


def _harmless(text: str | None) -> str:
    """A spreadsheet takes text that starts with one of these for a formula."""
    return f"'{text}" if text and text[0] in "=+-@\t\r" else text or ""


def print_simulation(document: dict[str, Any], out: Console) -> None:
    """The whole report."""
    events = document["events"]
    against = document["against"]
    other = against if isinstance(against, str) else f"policy {against['name']}"
    _line(out, f"policy {document['policy']['name']} against {other}, {document['since']} to {document['until']}")
    share = f" ({100 * events['changed'] / events['decided']:.1f}%)" if events["decided"] else ""
    _line(
        out,
        f"{events['read']} events: {events['changed']} decide differently{share}, "
        f"{events['changed_with_effect']} of them to another effect; {events['unreadable']} could not be read",
    )
    _table(out, "rules that differ", document["rules"], "rule old new events")
    _table(out, "statuses that differ", document["statuses"], "old new events")
    _table(out, "outcomes that differ", document["outcomes"], "old new events")
    _table(out, "calls that differ", document["actions"], "action change calls")
    _table(out, "all calls", document["calls"], "action billable old new old_awaiting_approval new_awaiting_approval")
    for example in document["examples"]:
        _example(out, example)
    _pace(out, document)


def print_shadow(document: dict[str, Any], out: Console) -> None:
    """The whole report on rules in shadow."""
    events = document["events"]
    _line(out, f"rules in shadow, {document['since']} to {document['until']}")
    _line(out, f"{events['read']} events; {events['unreadable']} could not be read")
    if not document["rules"]:
        _line(out, "no rule in shadow was looked at")
    _table(out, "rules in shadow", document["rules"], "rule looked_at fired fired_alone undecided calls")
    statuses = [{"rule": rule["rule"], **status} for rule in document["rules"] for status in rule["statuses"]]
    _table(out, "statuses they would set", statuses, "rule old new events")
    for example in document["examples"]:
        actions = ", ".join(action["action"] for action in example["actions"]) or "nothing"
        alone = ", no enforced rule fired" if example["fired_alone"] else ""
        _line(out, f"\n{example['event_id']}  {example['rule']} {example['state']}: {actions}{alone}")
        for condition in example["conditions"]:
            _line(out, f"    {_condition(condition)}")
    _pace(out, document)


def _table(out: Console, title: str, rows: list[dict[str, Any]], columns: str) -> None:
    if not rows:
        return
    table = Table(box=None, header_style="bold", pad_edge=False, title=title, title_justify="left")
    for column in columns.split():
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row[column])) for column in columns.split()))
    out.print()
    out.print(table)


def _example(out: Console, example: dict[str, Any]) -> None:
    _line(out, f"\n{example['event_id']}  {'; '.join(_in_short(example))}")
    for change in example["rules"]:
        _line(out, f"  {change['rule']}: {change['old']} > {change['new']}")
        for side in ("old", "new"):
            condition = change["decided_by"][side]
            if condition is not None:
                _line(out, f"    {side}: {_condition(condition)}")
            elif not change["looked_at"][side]:
                _line(out, f"    {side}: was not looked at")
    for side in ("old", "new"):
        if example["outcome"][side] == "undecided":
            _line(out, f"    {side}: {example['reason'][side]}")


def _in_short(example: dict[str, Any]) -> Iterator[str]:
    for what in ("outcome", "status"):
        sides = example[what]
        if sides["old"] != sides["new"]:
            yield f"{what} {cell(sides['old'])} > {cell(sides['new'])}"
    for change in example["actions"]:
        yield f"{change['change']} {change['action']}"


def _condition(condition: dict[str, Any]) -> str:
    value = {True: "true", False: "false", None: "undecided"}[condition["value"]]
    inputs = [f"{path}={_short(read)}" for path, read in condition["inputs"].items()]
    inputs += [f"{path} is missing" for path in condition["missing"]]
    for let in condition.get("let", ()):
        inputs += [f"{path}={_short(read)}" for path, read in let["inputs"].items()]
        inputs += [f"{path} is missing" for path in let["missing"]]
    inputs = list(dict.fromkeys(inputs))
    return f"line {condition['line']}: {condition['expr']} is {value}" + (f"  ({', '.join(inputs)})" if inputs else "")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _pace(out: Console, document: dict[str, Any]) -> None:
    if "max_changed" in document:
        bound = document["max_changed"]
        _line(out, f"\n{bound['said']}; at most {bound['bound']:g} may: {'passed' if bound['passed'] else 'failed'}")
    _line(out, f"\n{document['seconds']:.2f} s, {document['events_per_second']} events/s")


def _line(out: Console, text: str) -> None:
    lines = text.split("\n")
    out.print(Text("\n".join(cell(line) for line in lines)))
