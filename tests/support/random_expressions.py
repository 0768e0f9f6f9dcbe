"""Random expressions of the policy language as trees and as text, and sparse events for them to read.

A tree belongs to the tests alone: its text is written here, with no bracket more than CEL's grammar asks for (or a few
at random), so that what a parser makes of the text can be held to what was meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

NULL: Final = "null"
_LEVELS: Final = {"?:": 0, "||": 1, "&&": 2, "??": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
UNARY_LEVEL: Final = 7
TIGHT: Final = 8
RELATION: Final = 3
ORDER: Final = ("<", "<=", ">", ">=")
EQUALITY: Final = ("==", "!=")
ARITHMETIC: Final = ("+", "-", "*", "/", "%")
TEXT_TESTS: Final = ("startsWith", "endsWith", "contains")


@dataclass(frozen=True, slots=True)
class Tree:
    """One expression. `kind` is literal, name, select, index, has, unary, binary, logic, ternary, size, test, extreme,
    macro, list or map; `word` its operator, field, name or literal text. `gives` is the kind of its value where the
    text alone tells it: int double text bool list map null, else empty. `variable` belongs to macros.
    """

    kind: str
    word: str = ""
    parts: tuple[Tree, ...] = ()
    gives: str = ""
    variable: str = ""


class Text:
    """Trees -> text. `draw` adds brackets, blanks, comments and the other forms of the same thing; without it the text
    is plain. Subclasses write some nodes in another way.
    """

    def __init__(self, draw: Random | None = None) -> None:
        self._draw = draw

    def whole(self, tree: Tree) -> str:
        """The text of a tree."""
        return self.write(tree)[0]

    def at(self, tree: Tree, level: int) -> str:
        """The text of a tree where the grammar asks for a level: in brackets if it is looser."""
        text, own = self.write(tree)
        return f"({text})" if own < level or self._rarely(30) else text

    def write(self, tree: Tree) -> tuple[str, int]:
        """The text of a tree and its level."""
        method: Callable[[Tree], tuple[str, int]] = getattr(self, f"write_{tree.kind}")
        return method(tree)

    def _rarely(self, count: int) -> bool:
        return self._draw is not None and self._draw.randrange(count) == 0

    def _blank(self) -> str:
        if self._draw is None or not self._rarely(6):
            return " "
        return self._draw.choice(["", "  ", "\t", "\n", "\r\n", " // why; (a)\n", "\f"])

    def write_literal(self, tree: Tree) -> tuple[str, int]:
        """A literal; a sign makes it a unary expression."""
        return tree.word, UNARY_LEVEL if tree.word.startswith("-") else TIGHT

    def write_name(self, tree: Tree) -> tuple[str, int]:
        """A name."""
        return tree.word, TIGHT

    def write_select(self, tree: Tree) -> tuple[str, int]:
        """`a.b`."""
        return f"{self.at(tree.parts[0], TIGHT)}.{tree.word}", TIGHT

    def write_index(self, tree: Tree) -> tuple[str, int]:
        """`a[b]`."""
        return f"{self.at(tree.parts[0], TIGHT)}[{self.at(tree.parts[1], 0)}]", TIGHT

    def write_has(self, tree: Tree) -> tuple[str, int]:
        """`has(a.b)`."""
        return f"has({self.write(tree.parts[0])[0]})", TIGHT

    def write_unary(self, tree: Tree) -> tuple[str, int]:
        """`!a`, `-a`. Two different signs, one on the other, need brackets in CEL, and so do a sign and a number."""
        inner, level = self.write(tree.parts[0])
        bare = level == TIGHT and not (tree.word == "-" and inner[:1] in "0123456789.")
        return tree.word + (inner if bare else f"({inner})"), UNARY_LEVEL

    def write_binary(self, tree: Tree) -> tuple[str, int]:
        """`a + b` and its kin, all of which group to the left."""
        level = _LEVELS.get(tree.word, RELATION)
        left, right = self.at(tree.parts[0], level), self.at(tree.parts[1], level + 1)
        blank = " " if tree.word in ("in", "-") else self._blank()
        return f"{left}{blank}{tree.word}{blank}{right}", level

    def write_logic(self, tree: Tree) -> tuple[str, int]:
        """`a && b && c`."""
        level = _LEVELS[tree.word]
        return f"{self._blank()}{tree.word}{self._blank()}".join(self.at(part, level + 1) for part in tree.parts), level

    def write_ternary(self, tree: Tree) -> tuple[str, int]:
        """`a ? b : c`."""
        condition, then = (self.at(part, 1) for part in tree.parts[:2])
        return f"{condition} ?{self._blank()}{then} :{self._blank()}{self.at(tree.parts[2], 0)}", 0

    def write_size(self, tree: Tree) -> tuple[str, int]:
        """`size(a)`, or `a.size()` where the word says so."""
        if tree.word == "method":
            return f"{self.at(tree.parts[0], TIGHT)}.size()", TIGHT
        return f"size({self.at(tree.parts[0], 0)})", TIGHT

    def write_test(self, tree: Tree) -> tuple[str, int]:
        """`a.startsWith(b)` and its kin."""
        return f"{self.at(tree.parts[0], TIGHT)}.{tree.word}({self.at(tree.parts[1], 0)})", TIGHT

    def write_extreme(self, tree: Tree) -> tuple[str, int]:
        """`max(a, b)`."""
        return f"{tree.word}({', '.join(self.at(part, 0) for part in tree.parts)})", TIGHT

    def write_macro(self, tree: Tree) -> tuple[str, int]:
        """`a.exists(x, b)`; a `map` of three parts has its condition before its body."""
        inside = ", ".join(self.at(part, 0) for part in tree.parts[1:])
        return f"{self.at(tree.parts[0], TIGHT)}.{tree.word}({tree.variable}, {inside})", TIGHT

    def write_list(self, tree: Tree) -> tuple[str, int]:
        """`[a, b]`."""
        more = "," if tree.parts and self._rarely(20) else ""
        return f"[{', '.join(self.at(part, 0) for part in tree.parts)}{more}]", TIGHT

    def write_map(self, tree: Tree) -> tuple[str, int]:
        """`{"a": b}`: the parts are key, value, key, value."""
        texts = [self.at(part, 0) for part in tree.parts]
        pairs = zip(texts[::2], texts[1::2], strict=True)
        return "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}", TIGHT


def same(left: Any, right: Any) -> bool:
    """The same JSON value, types included; -0.0 is not 0.0, and NaN is itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return repr(left) == repr(right)


WORDS: Final = ("ESP", "PRT", "x", "", "Approved", "App", "\u00e9", "e\u0301", "\U0001f600", "a\nb", "'\"\\", "\uffff")
_INTS: Final[tuple[int, ...]] = (0, 1, 2, -1, 70, 100, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 3037000500)
_DOUBLES: Final = (0.0, -0.0, 1.0, 0.5, 70.0, 70.5, 99.999, 1e300, -1e300, 5e-324, 1.7976931348623157e308, 0.1)
_INT_TEXTS: Final = ("0x46", "0x0", "-0x1", "0x7fffffffffffffff", "-0x8000000000000000", "007")
_DOUBLE_TEXTS: Final = (".5", "7e1", "70.50", "1e-400", "1E+2", "-0.0")
_LARGE_DOUBLES: Final = ("9007199254740992.0", "-9007199254740992.0", "9223372036854775808.0")  # beside large ints
_STRING_TEXTS: Final = (
    r"'\x45SP'",
    r'"\u00e9"',
    r"'\U0001F600'",
    r"'\105SP'",
    "r'ESP'",
    'R"x"',
    "'''a\nb'''",
    '"""ES""" + "P"',
    r"'\'\"\\'",
    r"'\a\b\f\n\r\t\v\?\`'",
    "r'''\\d'''",
)


def string_text(draw: Random, value: str) -> str:
    """One of the ways to write a string."""
    quote = draw.choice("'\"")
    escaped = json.dumps(value, ensure_ascii=draw.randrange(2) == 0 and value.isascii())[1:-1].replace('\\"', '"')
    return quote + escaped.replace(quote, "\\" + quote) + quote


# what events hold, by field: the kind that is meant, or a list of it, or a map of fields
_MATCH: Final = {
    "similarity": "number", "status": "text", "is_blocklisted": "bool", "scores": ["number"],
    "source": {"code": "text"},
}  # fmt: skip
_EVENT: Final = {
    "country": "text", "status": "text", "age": "number", "count": "number", "vip": "bool", "vendor_data": "any",
    "tags": ["text"], "numbers": ["number"], "mixed": ["any"], "matches": [_MATCH],
    "liveness": {"score": "number", "status": "text", "passed": "bool", "frames": ["number"]},
    "document": {"type": "text", "expires": {"year": "number", "known": "bool"}},
}  # fmt: skip
_RAW: Final = {"decision": {"nodes": [{"id": "text", "score": "number", "ok": "bool"}], "any": "any"}, "n": "number"}
LISTS: Final[dict[str, Any]] = {"trusted": ["ESP", "PRT", "\u00e9"], "limits": [70, 70.5, 2**53 + 1], "empty": []}
ROOTS: Final = ("event", "raw", "lists")


class Events:
    """Writes sparse events: every part may be absent, null, empty, or of a kind that nobody expects."""

    def __init__(self, draw: Random) -> None:
        self._draw = draw
        self._ints = _INTS

    def scope(self, ints: tuple[int, ...] = _INTS) -> dict[str, Any]:
        """What one evaluation sees, with ints from these."""
        self._ints = ints
        return {"event": self._value(_EVENT), "raw": self._value(_RAW), "lists": LISTS}

    def _value(self, hint: Any) -> Any:
        draw = self._draw
        if isinstance(hint, dict):
            kept = {name: part for name, part in hint.items() if draw.random() > 0.08}
            return {name: self._odd(part) for name, part in kept.items()}
        if isinstance(hint, list):
            return [self._odd(hint[0]) for _ in range(draw.choice((0, 1, 1, 2, 2, 3, 3, 4)))]
        kind = draw.choice(("int", "double", "text", "bool", NULL)) if hint == "any" else hint
        if kind == "number":
            kind = draw.choice(("int", "double"))
        values: dict[str, tuple[Any, ...]] = {"int": self._ints, "double": _DOUBLES, "text": WORDS}
        values["bool"] = (True, False)
        return draw.choice(values[kind]) if kind in values else None

    def _odd(self, hint: Any) -> Any:
        chance = self._draw.random()
        if chance < 0.04:
            return None
        if chance < 0.08:
            return self._value(self._draw.choice(("any", [hint], ["any"], {"score": "number"})))
        return self._value(hint)


def paths_of(kind: str, hint: Any, base: Tree) -> list[Tree]:
    """Every path below `base` that is meant to give a kind: number, text, bool, list, map or any."""
    found = [base] if kind == _kind_of(hint) else []
    if isinstance(hint, dict):
        for name, part in hint.items():
            found += paths_of(kind, part, Tree("select", name, (base,)))
    return found


def _kind_of(hint: Any) -> str:
    return "map" if isinstance(hint, dict) else "list" if isinstance(hint, list) else str(hint)


_TREES: Final = {root: (hint, Tree("name", root)) for root, hint in (("event", _EVENT), ("raw", _RAW))}
KINDS: Final = ("number", "text", "bool", "list", "map", "any")
_PATHS: Final = {
    kind: [path for hint, root in _TREES.values() for path in paths_of(kind, hint, root)] for kind in KINDS
}
_LISTS_OF_MAPS: Final = (
    (Tree("select", "matches", (Tree("name", "event"),)), _MATCH),
    (
        Tree("select", "nodes", (Tree("select", "decision", (Tree("name", "raw"),)),)),
        {"id": "text", "score": "number", "ok": "bool"},
    ),
)
_FIELDS: Final = ("status", "score", "nope", "similarity", "code")


class Trees:
    """Writes random trees that mostly fit the events. `unusual`: one part in so many is of another kind."""

    def __init__(self, draw: Random, unusual: int = 40) -> None:
        self._draw = draw
        self._unusual = unusual
        self._bound: list[tuple[str, Any]] = []  # the variables of the macros around, with what they are meant to hold
        self._macros = 0

    def _one_in(self, count: int) -> bool:
        return self._draw.randrange(count) == 0

    def tree(self, kind: str, depth: int) -> Tree:
        """A tree that mostly gives this kind, at most so deep."""
        draw = self._draw
        if self._one_in(self._unusual):
            kind = draw.choice(KINDS)
        if kind == "any":
            kind = draw.choice(KINDS[:-1])
        if depth <= 0:
            return self.leaf(kind)
        if self._one_in(16):
            return Tree("binary", "??", (self.tree(kind, depth - 2), self.tree(kind, depth - 1)))
        if self._one_in(16):
            answers = (self.tree(kind, depth - 1), self.tree(kind, depth - 1))
            return Tree("ternary", "", (self.tree("bool", depth - 1), *answers))
        method: Callable[[int], Tree] = getattr(self, f"_{kind}")
        return method(depth - 1)

    def leaf(self, kind: str) -> Tree:
        """A path, a variable or a literal."""
        if self._bound and not self._one_in(4):
            name, hint = self._bound[-1] if not self._one_in(4) else self._draw.choice(self._bound)
            fitting = paths_of(kind, hint, Tree("name", name))
            if fitting:
                return self._draw.choice(fitting)
        if self._one_in(3):
            return self.literal(kind)
        return self.path(kind)

    def path(self, kind: str) -> Tree:
        """A path of the event, now and then a longer, odd or dynamic one."""
        draw = self._draw
        if kind == "list" and self._one_in(4):
            return Tree("select", draw.choice(tuple(LISTS)), (Tree("name", "lists"),))
        if kind in ("number", "text", "bool") and self._one_in(8):
            base, hint = draw.choice(_LISTS_OF_MAPS)
            item = Tree("index", "", (base, Tree("literal", draw.choice(("0", "1", "0.0", "-1")), (), "int")))
            fitting = paths_of(kind, hint, item)
            return draw.choice(fitting) if fitting else item
        if kind in ("number", "text") and self._one_in(8):
            items = draw.choice(_PATHS["list"])
            return Tree("index", "", (items, self.tree("number", 1) if self._one_in(3) else int_literal("0")))
        path = draw.choice(_PATHS[kind] or _PATHS["any"])
        if path.kind == "select" and self._one_in(12):
            return Tree("index", "", (path.parts[0], Tree("literal", string_text(draw, path.word), (), "text")))
        return Tree("select", draw.choice(_FIELDS), (path,)) if self._one_in(20) else path

    def literal(self, kind: str) -> Tree:
        """A literal."""
        draw = self._draw
        if kind == "number":
            if self._one_in(2):
                return int_literal(draw.choice(_INT_TEXTS) if self._one_in(4) else str(draw.choice(_INTS)))
            text = draw.choice(_DOUBLE_TEXTS) if self._one_in(4) else repr(draw.choice(_DOUBLES))
            return Tree("literal", text, (), "double")
        if kind == "text":
            text = draw.choice(_STRING_TEXTS) if self._one_in(4) else string_text(draw, draw.choice(WORDS))
            if " + " in text:
                left, right = text.split(" + ")
                sides = (Tree("literal", left, (), "text"), Tree("literal", right, (), "text"))
                return Tree("binary", "+", sides, "text")
            return Tree("literal", text, (), "text")
        if kind == "bool":
            return Tree("literal", draw.choice(("true", "false")), (), "bool")
        if kind == "map":
            return self._map(0) if self._one_in(2) else Tree("map", "", (), "map")
        kinds = draw.choice((("number",), ("text",), ("number", "text", "bool", "list")))
        items = tuple(self.literal(draw.choice(kinds)) for _ in range(draw.randrange(4)))
        return Tree("list", "", (*items, *((_NULL_TREE,) if self._one_in(10) else ())), "list")

    def _bool(self, depth: int) -> Tree:
        choice = self._draw.randrange(12)
        if choice < 3:
            return self._logic(depth)
        if choice < 6:
            return self._comparison(depth)
        if choice == 6:
            item = self.tree(self._draw.choice(("text", "text", "number", "bool")), depth)
            return Tree("binary", "in", (item, self.tree("map" if self._one_in(5) else "list", depth)), "bool")
        if choice == 7:
            texts = (self.tree("text", depth), self.tree("text", depth))
            return Tree("test", self._draw.choice(TEXT_TESTS), texts, "bool")
        if choice == 8:
            return self._against_null(depth)
        if choice == 9:
            return self._has(depth) if self._one_in(2) else Tree("unary", "!", (self.tree("bool", depth),), "bool")
        return self._macro(self._draw.choice(("exists", "all")), "bool", depth)

    def _logic(self, depth: int) -> Tree:
        parts = tuple(self.tree("bool", depth) for _ in range(self._draw.choice((2, 2, 2, 3, 4))))
        return Tree("logic", self._draw.choice(("&&", "||")), parts, "bool")

    def _comparison(self, depth: int) -> Tree:
        kind = self._draw.choice(("number", "number", "number", "text", "text", "bool", "list", "map", "any"))
        words = EQUALITY if kind in ("list", "map", "any") and not self._one_in(10) else (*ORDER, *EQUALITY)
        right = self.literal(kind) if self._one_in(2) and kind != "any" else self.tree(kind, depth)
        if kind == "number" and self._one_in(12):
            right = Tree("literal", self._draw.choice(_LARGE_DOUBLES), (), "double")
        return Tree("binary", self._draw.choice(words), (self.tree(kind, depth), right), "bool")

    def _against_null(self, depth: int) -> Tree:
        sides = [self.tree(self._draw.choice(KINDS), min(depth, 2)), _NULL_TREE]
        if self._one_in(4):
            sides.reverse()
        return Tree("binary", self._draw.choice(EQUALITY), tuple(sides), "bool")

    def _has(self, depth: int) -> Tree:
        if self._one_in(3):
            key = self.tree("text", min(depth, 1)) if self._one_in(2) else int_literal(self._draw.choice("012"))
            path = Tree("index", "", (self.tree("map" if key.gives != "int" else "list", min(depth, 1)), key))
        elif self._one_in(2):
            path = Tree("select", self._draw.choice(_FIELDS), (self.leaf("map"),))
        else:
            path = self._draw.choice([path for kind in KINDS for path in _PATHS[kind] if path.kind == "select"])
        return Tree("has", "", (path,), "bool")

    def _number(self, depth: int) -> Tree:
        choice = self._draw.randrange(8)
        if choice < 4:
            sides = (self.tree("number", depth), self.tree("number", depth))
            gives = sides[0].gives if sides[0].gives == sides[1].gives else ""
            return Tree("binary", self._draw.choice(ARITHMETIC), sides, gives)
        if choice == 4:
            inner = self.tree(self._draw.choice(("list", "list", "text", "map")), depth)
            return Tree("size", self._draw.choice(("function", "method")), (inner,), "int")
        if choice == 5:
            inner = self.tree("number", depth)
            return Tree("unary", "-", (inner,), inner.gives)
        if choice == 6:
            return Tree("extreme", self._draw.choice(("max", "min")), (self.tree("list", depth),))
        count = self._draw.choice((2, 2, 3))
        kind = "text" if self._one_in(5) else "number"
        return Tree("extreme", self._draw.choice(("max", "min")), tuple(self.tree(kind, depth) for _ in range(count)))

    def _text(self, depth: int) -> Tree:
        if self._one_in(3):
            return self.leaf("text")
        return Tree("binary", "+", (self.tree("text", depth), self.tree("text", depth)), "")

    def _list(self, depth: int) -> Tree:
        choice = self._draw.randrange(6)
        if choice == 0:
            return Tree("binary", "+", (self.tree("list", depth), self.tree("list", depth)), "")
        if choice == 1:
            parts = tuple(self.tree(self._draw.choice(KINDS), depth - 1) for _ in range(self._draw.randrange(1, 4)))
            return Tree("list", "", parts, "list")
        if choice < 4:
            return self._macro("filter", "bool", depth)
        return self._macro("map", self._draw.choice(KINDS), depth)

    def _map(self, depth: int) -> Tree:
        if self._one_in(6):  # a key that is worked out stands alone, so that nothing hangs on the order of two faults
            return Tree("map", "", (self.tree("text", depth), self.tree("any", depth)), "map")
        names = self._draw.sample(("a", "score", "status", "ESP"), self._draw.randrange(3))
        keys = [Tree("literal", string_text(self._draw, name), (), "text") for name in names]
        return Tree("map", "", tuple(part for key in keys for part in (key, self.tree("any", depth - 1))), "map")

    def _macro(self, word: str, kind: str, depth: int) -> Tree:
        if self._macros == 2:
            return self.leaf("bool" if word in ("exists", "all") else "list")
        items, hint = self._items(depth, maps=word in ("exists", "all"))
        self._macros += 1
        name = self._draw.choice(("m", "n", "x", "x", "event")) if self._one_in(4) else f"v{self._macros}"
        self._bound.append((name, hint))
        where = (self.tree("bool", min(depth, 1)),) if word == "map" and self._one_in(3) else ()
        body = self.tree(kind, depth)
        variable = self._bound.pop()[0]
        self._macros -= 1
        return Tree("macro", word, (items, *where, body), "bool" if word in ("exists", "all") else "list", variable)

    def _items(self, depth: int, *, maps: bool) -> tuple[Tree, Any]:
        """What a macro walks, with what its elements are meant to be. Maps only where no order of keys would show: CEL
        has none.
        """
        choice = self._draw.randrange(6)
        if choice < 2:
            return self._draw.choice(_LISTS_OF_MAPS)
        if choice < 4:
            field = self._draw.choice(("tags", "numbers", "mixed"))
            return Tree("select", field, (Tree("name", "event"),)), _EVENT[field][0]  # type: ignore[index]  # a list
        if choice == 4 and maps:
            return self.tree("map", 0), "text"
        unusual, self._unusual = self._unusual, self._unusual if maps else 10**9
        items = self.tree("list", min(depth, 2))
        self._unusual = unusual
        return items, "any"


def int_literal(text: str) -> Tree:
    """An int literal."""
    return Tree("literal", text, (), "int")


_NULL_TREE: Final = Tree("literal", NULL, (), NULL)


_CONDITIONS: Final = (
    "event.liveness.score < {number}",
    "event.document.age >= {number} && event.document.type == {text}",
    "event.country in lists.trusted",
    "!(event.country in [{text}, {text}])",
    "event.status == {text} || event.previous_status != {text}",
    "event.face_match == null",
    "has(event.ip.country) && event.ip.country != event.country",
    "size(event.matches) >= {number}",
    "event.matches.exists(m, m.similarity >= {number} && m.status == {text})",
    "event.matches.all(m, m.is_allowlisted == true)",
    "event.matches.filter(m, m.similarity >= {number}).size() >= 3",
    "max(event.matches.map(m, m.similarity)) >= {number}",
    "(event.aml.score ?? 0) > {number}",
    "event.vendor_data.startsWith({text})",
    "raw.decision.score * 100.0 > {number}",
    "event.ip.is_vpn ? event.liveness.score < {number} : event.liveness.score < {number}",
    "raw.decision.nodes[0].score < {number}",
    "{text} in event.tags",
)


def policy_condition(draw: Random) -> str:
    """A condition such as policies have: one of the usual forms, or two of them joined."""

    def one() -> str:
        form = draw.choice(_CONDITIONS)
        while "{" in form:
            number = str(draw.choice((3, 70, 70.0, 90.5)))
            form = form.replace("{number}", number, 1).replace("{text}", string_text(draw, draw.choice(WORDS[:3])), 1)
        return form

    return one() if draw.randrange(3) else f"({one()}) {draw.choice(('&&', '||'))} ({one()})"
