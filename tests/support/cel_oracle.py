"""What Google's CEL says of an expression: random trees written as CEL, with our documented deviations spelt out.

`Cel` writes a tree as CEL writes it, word for word, except where the language deviates on purpose: there it writes, in
plain CEL, what the deviation means (an error stands for undecided). `Total` writes the whole meaning in plain CEL: its
value is b"U" where ours is undecided, and only a fault is an error; this serves below `== null`, `??` and `has()`,
which tell the two apart, and to check that we do.

The deviations (design of the language): a null or absent operand leaves every operator but `== null` and `!= null`
undecided; has() is false below an absent or null parent, and takes an index; int and double mix in arithmetic, and
compare exactly (CEL in C++ compares them as doubles); `??`; `max` and `min`, which CEL has not, are the first element
that no other exceeds.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from typing import Any, Final

from cel_expr_python import cel

from tests.support.random_expressions import ARITHMETIC, EQUALITY, NULL, ORDER, RELATION, ROOTS, TIGHT, Text, Tree

ERROR: Final = "1/0"
UNDECIDED: Final = "b'U'"
NOTHING: Final = f"[null, {UNDECIDED}]"
_EXACT: Final = 2**53  # ints up to here are doubles too


def bound(values: str, body: Callable[[str], str], name: str = "q") -> str:
    """`body` of a value that is worked out once: CEL has no `let`, but it has map()."""
    return f"[{values}].map({name}, {body(name)})[0]"


def mixed_arithmetic(word: str, pair: str) -> str:
    """`a + b` where one may be an int and the other a double."""
    a, b = f"{pair}[0]", f"{pair}[1]"
    return (
        f"type({a}) == int && type({b}) == double ? double({a}) {word} {b} : "
        f"type({a}) == double && type({b}) == int ? {a} {word} double({b}) : {a} {word} {b}"
    )


def exact_comparison(word: str, pair: str) -> str:
    """`a < b` of an int and a double as the numbers that they are."""
    a, b = f"{pair}[0]", f"{pair}[1]"
    back = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(word, word)
    return (
        f"type({a}) == int && type({b}) == double ? ({_int_against_double(word, a, b)}) : "
        f"type({a}) == double && type({b}) == int ? ({_int_against_double(back, b, a)}) : {a} {word} {b}"
    )


def _int_against_double(word: str, whole: str, real: str) -> str:
    nan = "true" if word == "!=" else "false"
    sign = (
        f"{real} >= 9223372036854775808.0 ? -1 : {real} < -9223372036854775808.0 ? 1 : "
        f"{real} == -9223372036854775808.0 ? ({whole} == -9223372036854775808 ? 0 : 1) : "
        f"{whole} < int({real}) ? -1 : {whole} > int({real}) ? 1 : "
        f"{real} > double(int({real})) ? -1 : {real} < double(int({real})) ? 1 : 0"
    )
    return f"{real} != {real} ? {nan} : ({sign}) {word} 0"


def first_extreme(word: str, values: str) -> str:
    """The first element that no other exceeds: of numbers by CEL's math extension, of strings by their order."""
    order, name = (">=", "math.greatest") if word == "max" else ("<=", "math.least")
    return (
        f"size({values}) > 0 && {values}.all(e, type(e) == int || type(e) == double) ? {name}({values}) : "
        f"{values}.filter(e, type(e) == string && {values}.all(o, e {order} o))[0]"
    )


class Cel(Text):
    """A tree as CEL: an error stands for undecided."""

    def __init__(self) -> None:
        super().__init__()
        self._total: Total | None = None

    @property
    def total(self) -> Total:
        """The writer of the whole meaning."""
        if self._total is None:
            self._total = Total()
        return self._total

    def write_binary(self, tree: Tree) -> tuple[str, int]:
        """Equality and `in` look at null first, numbers of two kinds meet."""
        word = tree.word
        if word == "??":
            left, right = self.total.whole(tree.parts[0]), self.at(tree.parts[1], 1)
            return bound(left, lambda a: f"{a} in {NOTHING} ? ({right}) : {a}"), TIGHT
        if word in EQUALITY and NULL in (tree.parts[0].gives, tree.parts[1].gives):
            return _null_test(tree, self.total)
        if word in (*EQUALITY, *ORDER) and not _compares_plainly(tree):
            null = "q[0] == null || q[1] == null ? 1/0 == 0 : " if word in EQUALITY else ""
            return bound(self._pair(tree), lambda q: null + exact_comparison(word, q)), TIGHT
        if word in EQUALITY or word == "in":
            known = [self._known(part) for part in tree.parts[: 1 if word == "in" else 2]]
            right = known[1] if len(known) == 2 else self.at(tree.parts[1], RELATION + 1)
            return f"{known[0]} {word} {right}", RELATION
        if word in ARITHMETIC and word != "%" and not _same_kind(tree):
            return bound(self._pair(tree), lambda q: mixed_arithmetic(word, q)), TIGHT
        return super().write_binary(tree)

    def _pair(self, tree: Tree) -> str:
        return f"[{', '.join(self.at(part, 0) for part in tree.parts)}]"

    def _known(self, tree: Tree) -> str:
        if tree.gives:
            return self.at(tree, RELATION + 1)
        return f"[{self.at(tree, 0)}].filter(k, k != null)[0]"

    def write_map(self, tree: Tree) -> tuple[str, int]:
        """The keys are strings, as in JSON; CEL would take bools and numbers too."""
        known = [part.gives == "text" for part in tree.parts[::2]]
        texts = [self.at(part, 0) for part in tree.parts]
        keys = [
            text if sure else f"[{text}].filter(k, type(k) == string)[0]"
            for text, sure in zip(texts[::2], known, strict=True)
        ]
        return "{" + ", ".join(f"{key}: {value}" for key, value in zip(keys, texts[1::2], strict=True)) + "}", TIGHT

    def write_has(self, tree: Tree) -> tuple[str, int]:
        """False below what is absent or null."""
        container, *key = tree.parts[0].parts
        if key:
            return self._has_element(container, key[0])
        if container.word in ("raw", "lists"):
            return super().write_has(tree)
        field = tree.parts[0].word
        return bound(self.total.whole(container), lambda p: f"{p} in {NOTHING} ? false : has({p}.{field})"), TIGHT

    def _has_element(self, container: Tree, key: Tree) -> tuple[str, int]:
        return bound(f"[{self.total.whole(container)}, {self.at(key, 0)}]", _has_element_of_pair), TIGHT

    def write_extreme(self, tree: Tree) -> tuple[str, int]:
        """`max` and `min`; CEL's own math extension where all are known to be numbers."""
        if len(tree.parts) > 1 and all(part.gives in ("int", "double") for part in tree.parts):
            name = "math.greatest" if tree.word == "max" else "math.least"
            return f"{name}({', '.join(self.at(part, 0) for part in tree.parts)})", TIGHT
        if len(tree.parts) == 1:
            inner = self.at(tree.parts[0], 0)
            return bound(inner, lambda v: _extreme_of(v, lambda values: first_extreme(tree.word, values))), TIGHT
        return bound(self._list(tree), lambda values: first_extreme(tree.word, values)), TIGHT

    def _list(self, tree: Tree) -> str:
        return f"[{', '.join(self.at(part, 0) for part in tree.parts)}]"


def _extreme_of(value: str, body: Callable[[str], str]) -> str:
    """max(5) is 5: one value that is no list is a list of one."""
    return bound(f"type({value}) == list ? {value} : [{value}]", body, "w")


def _null_test(tree: Tree, total: Total) -> tuple[str, int]:
    other = tree.parts[1] if tree.parts[0].gives == NULL else tree.parts[0]
    test = f"({total.whole(other)}) in {NOTHING}"
    return (test, RELATION) if tree.word == "==" else (f"(!({test}))", TIGHT)


def _has_element_of_pair(pair: str) -> str:
    inside, key = f"{pair}[0]", f"{pair}[1]"
    return (
        f"{key} == null ? 1/0 == 0 : {inside} in {NOTHING} ? false : "
        f"type({inside}) == map ? (type({key}) == string ? {key} in {inside} : 1/0 == 0) : "
        f"type({inside}) == list && type({key}) == int ? {key} >= 0 && {key} < size({inside}) : "
        f"size([{inside}[{key}]]) == 1"
    )


def _same_kind(tree: Tree) -> bool:
    left, right = tree.parts
    return left.gives == right.gives != ""


def _compares_plainly(tree: Tree) -> bool:
    """Where exactness makes no difference: both sides have one kind, one is a small or no number, or neither can give a
    large double (events hold none between 2^53 and 2^64).
    """
    return _same_kind(tree) or any(map(_is_plain, tree.parts)) or not any(map(_makes_doubles, tree.parts))


def _makes_doubles(tree: Tree) -> bool:
    if tree.kind == "literal":
        return tree.gives == "double" and not _is_plain(tree)
    return (tree.kind == "binary" and tree.word in ARITHMETIC) or any(map(_makes_doubles, tree.parts))


def _is_plain(tree: Tree) -> bool:
    if tree.kind != "literal":
        return tree.gives in ("text", "bool")
    if tree.gives == "int":
        return abs(int(tree.word, 16 if "x" in tree.word else 10)) <= _EXACT // 2
    return tree.gives != "double" or abs(float(tree.word)) <= _EXACT // 2


class Declared(Text):
    """A tree for CEL's own type checker: what CEL has not is written as something of as little known a type."""

    def write_binary(self, tree: Tree) -> tuple[str, int]:
        """Either side of `??`."""
        return self._one_of(tree) if tree.word == "??" else super().write_binary(tree)

    def write_extreme(self, tree: Tree) -> tuple[str, int]:
        """The elements can be put in order, with each other, and added up, which neither bools nor lists can."""
        if len(tree.parts) == 1:
            return f"{self.at(tree.parts[0], TIGHT)}.map(e, e < e || e + e == e ? e : e)[0]", TIGHT
        texts = [self.at(part, TIGHT) for part in tree.parts]
        tests = " || ".join(f"{texts[0]} < {text} || {text} + {text} == {text}" for text in texts)
        return f"({tests} ? [{', '.join(texts)}][0] : {texts[0]})", TIGHT

    def write_has(self, tree: Tree) -> tuple[str, int]:
        """Reading an element."""
        return super().write_has(tree) if tree.parts[0].kind == "select" else self._read(tree.parts[0])

    def _read(self, tree: Tree) -> tuple[str, int]:
        return f"([{self.whole(tree)}] == [])", TIGHT

    def _one_of(self, tree: Tree) -> tuple[str, int]:
        return f"[{', '.join(self.at(part, 0) for part in tree.parts)}][0]", TIGHT

    def write_map(self, tree: Tree) -> tuple[str, int]:
        """The keys of a map are strings, of an empty one too."""
        texts = [self.at(part, 5) for part in tree.parts] or ["''", "dyn(b'')"]
        return "{" + ", ".join(f"{k} + '': {v}" for k, v in zip(texts[::2], texts[1::2], strict=True)) + "}", TIGHT


class Total(Text):
    """A tree as CEL that tells undecided (b"U") from a fault (an error)."""

    def __init__(self) -> None:
        super().__init__()
        self._names = 0

    def _name(self) -> str:
        self._names += 1
        return f"t{self._names}"

    def _strict(self, parts: tuple[Tree, ...], body: Callable[[str], str]) -> tuple[str, int]:
        """`body` of the values (a list) of the parts, undecided as soon as one is nothing."""
        name = self._name()
        values = f"[{', '.join(self.whole(part) for part in parts)}]"
        absent = f"{name}.exists(z, z in {NOTHING})"
        return bound(values, lambda v: f"{absent} ? {UNDECIDED} : ({body(v)})", name), TIGHT

    def write_select(self, tree: Tree) -> tuple[str, int]:
        """Undecided below nothing, and where the field is absent."""
        name = self._name()
        inside = self.whole(tree.parts[0])
        return bound(
            inside,
            lambda p: f"{p} in {NOTHING} ? {UNDECIDED} : has({p}.{tree.word}) ? {p}.{tree.word} : {UNDECIDED}",
            name,
        ), TIGHT

    def write_index(self, tree: Tree) -> tuple[str, int]:
        """Likewise; a key of a map that is no string is a fault."""
        return self._strict(
            tree.parts,
            lambda v: (
                f"type({v}[0]) == map ? (type({v}[1]) != string ? {ERROR} : {v}[1] in {v}[0] ? {v}[0][{v}[1]] : "
                f"{UNDECIDED}) : {v}[0][{v}[1]]"
            ),
        )

    def write_has(self, tree: Tree) -> tuple[str, int]:
        """As in `Cel`, but a key that is nothing leaves it undecided."""
        container, *key = tree.parts[0].parts
        name, inside = self._name(), self.whole(container)
        if key:
            values = f"[{inside}, {self.whole(key[0])}]"
            body = f"{name}[1] in {NOTHING} ? {UNDECIDED} : ({_has_element_of_pair(name)})"
            return bound(values, lambda _: body, name), TIGHT
        field = tree.parts[0].word
        return bound(inside, lambda p: f"{p} in {NOTHING} ? false : has({p}.{field})", name), TIGHT

    def write_unary(self, tree: Tree) -> tuple[str, int]:
        """`!a`, `-a`."""
        return self._strict(tree.parts, lambda v: f"{tree.word}({v}[0])")

    def write_binary(self, tree: Tree) -> tuple[str, int]:
        """All strict, but for `??` and the tests for null."""
        word = tree.word
        if word == "??":
            name, right = self._name(), self.whole(tree.parts[1])
            return bound(self.whole(tree.parts[0]), lambda a: f"{a} in {NOTHING} ? ({right}) : {a}", name), TIGHT
        if word in EQUALITY and NULL in (tree.parts[0].gives, tree.parts[1].gives):
            return _null_test(tree, self)
        if word in (*EQUALITY, *ORDER):
            return self._strict(tree.parts, lambda v: exact_comparison(word, v))
        if word in ARITHMETIC and word != "%":
            return self._strict(tree.parts, lambda v: mixed_arithmetic(word, v))
        return self._strict(tree.parts, lambda v: f"{v}[0] {word} {v}[1]")

    def write_logic(self, tree: Tree) -> tuple[str, int]:
        """One winner decides; else a fault is a fault; else one that is nothing leaves it undecided."""
        values = [f"({self.whole(part)})" for part in tree.parts]
        return self._settled(tree.word, " || ".join(f"({self._wins(tree.word, v)})" for v in values), values), TIGHT

    def _settled(self, word: str, won: str, values: list[str]) -> str:
        winner, loser = ("true", "false") if word == "||" else ("false", "true")
        odd = " || ".join(f"{value} in {NOTHING}" for value in values)
        return f"(({won}) ? {winner} : ({odd}) ? {UNDECIDED} : {loser})"

    def _wins(self, word: str, value: str) -> str:
        test = "w" if word == "||" else "!w"
        return bound(value, lambda w: f"{w} in {NOTHING} ? false : ({test}) ? true : false", "w")

    def write_ternary(self, tree: Tree) -> tuple[str, int]:
        """Undecided if its condition is nothing."""
        name = self._name()
        then, otherwise = self.whole(tree.parts[1]), self.whole(tree.parts[2])
        body = f"{name} in {NOTHING} ? {UNDECIDED} : {name} ? ({then}) : ({otherwise})"
        return bound(self.whole(tree.parts[0]), lambda _: body, name), TIGHT

    def write_size(self, tree: Tree) -> tuple[str, int]:
        """size()."""
        return self._strict(tree.parts, lambda v: f"size({v}[0])")

    def write_test(self, tree: Tree) -> tuple[str, int]:
        """startsWith() and its kin."""
        return self._strict(tree.parts, lambda v: f"{v}[0].{tree.word}({v}[1])")

    def write_extreme(self, tree: Tree) -> tuple[str, int]:
        """Undecided for an empty list, and with a null in it."""

        def of_list(values: str) -> str:
            nothing = f"size({values}) == 0 || {values}.exists(z, z in {NOTHING})"
            return f"{nothing} ? {UNDECIDED} : {first_extreme(tree.word, values)}"

        if len(tree.parts) > 1:
            return bound(f"[{', '.join(self.whole(part) for part in tree.parts)}]", of_list), TIGHT
        return self._strict(tree.parts, lambda v: _extreme_of(f"{v}[0]", of_list))

    def write_list(self, tree: Tree) -> tuple[str, int]:
        """A null stays in it; an element that is undecided leaves it undecided."""
        name = self._name()
        values = f"[{', '.join(self.whole(part) for part in tree.parts)}]"
        return bound(values, lambda v: f"{UNDECIDED} in {v} ? {UNDECIDED} : {v}", name), TIGHT

    def write_map(self, tree: Tree) -> tuple[str, int]:
        """Likewise; a key may not be null either."""
        if not tree.parts:
            return "{}", TIGHT
        name = self._name()
        keys = range(0, len(tree.parts), 2)
        nothing = " || ".join(f"{name}[{key}] in {NOTHING} || {name}[{key + 1}] == {UNDECIDED}" for key in keys)
        made = ", ".join(f"{name}[{key}]: {name}[{key + 1}]" for key in keys)
        strings = " && ".join(f"type({name}[{key}]) == string" for key in keys)
        values = f"[{', '.join(self.whole(part) for part in tree.parts)}]"
        return bound(values, lambda _: f"{nothing} ? {UNDECIDED} : {strings} ? {{{made}}} : {ERROR}", name), TIGHT

    def write_macro(self, tree: Tree) -> tuple[str, int]:
        """Undecided over nothing; then as each macro has it."""
        name = self._name()
        body = getattr(self, f"_{tree.word}")(tree, name, self.whole(tree.parts[-1]))
        return bound(self.whole(tree.parts[0]), lambda v: f"{v} in {NOTHING} ? {UNDECIDED} : ({body})", name), TIGHT

    def _exists(self, tree: Tree, items: str, body: str) -> str:
        word, variable = "||" if tree.word == "exists" else "&&", tree.variable
        won = f"{items}.exists({variable}, {self._wins(word, body)})"
        winner, loser = ("true", "false") if word == "||" else ("false", "true")
        return f"{won} ? {winner} : {items}.exists({variable}, ({body}) in {NOTHING}) ? {UNDECIDED} : {loser}"

    _all = _exists

    def _filter(self, tree: Tree, items: str, body: str) -> str:
        states = f"{items}.map({tree.variable}, {_truth(body)})"
        return f"{UNDECIDED} in {states} ? {UNDECIDED} : {items}.filter({tree.variable}, {body})"

    def _map(self, tree: Tree, items: str, body: str) -> str:
        if len(tree.parts) == 3:
            where = _truth(self.whole(tree.parts[1]))
            body = bound(where, lambda w: f"{w} == {UNDECIDED} ? {UNDECIDED} : {w} ? ({body}) : b'S'", self._name())
        made = f"{items}.map({tree.variable}, {body})"
        return bound(made, lambda r: f"{UNDECIDED} in {r} ? {UNDECIDED} : {r}.filter(z, z != b'S')", self._name())


def _truth(value: str) -> str:
    """True, false or undecided; anything else is an error."""
    return bound(value, lambda w: f"{w} in {NOTHING} ? {UNDECIDED} : {w} ? true : false", "w")


class NoValue(Exception):
    """CEL answers with an error."""


class TooDeep(Exception):
    """CEL in C++ nests at most 32 deep, and reads at most 100,000 characters."""


class Oracle:
    """Google's CEL over the roots that random expressions read."""

    def __init__(self) -> None:
        from cel_expr_python.ext import ext_math

        dynamic = dict.fromkeys(ROOTS, cel.Type.DYN)
        self._environment: Any = cel.NewEnv(variables=dynamic, extensions=[ext_math.ExtMath()])
        declared = dynamic | {"lists": cel.Type.Map(cel.Type.STRING, cel.Type.List(cel.Type.DYN))}
        self._checker: Any = cel.NewEnv(variables=declared)

    def activation(self, scope: dict[str, Any]) -> Any:
        """A scope, made ready once for many expressions."""
        return self._environment.Activation(scope)

    def refuses(self, text: str) -> bool:
        """Does CEL's own type checker refuse the text?"""
        try:
            self._checker.compile(text)
        except RuntimeError:
            return True
        return False

    def compile(self, text: str) -> Any:
        """An expression without CEL's type checks: what only the run can tell is told by the run.
        Raises TooDeep.
        """
        try:
            return self._environment.compile(text, disable_check=True)
        except RuntimeError as error:
            if "recursion" in str(error) or "codepoint limit" in str(error):
                raise TooDeep from None
            raise


def value_of(compiled: Any, activation: Any) -> Any:
    """CEL's value as plain Python. Raises NoValue."""
    try:
        value = compiled.eval(activation)
    except RuntimeError as error:  # a map literal with a key twice
        raise NoValue(str(error)) from None
    if value.type() == cel.Type.ERROR:
        raise NoValue(str(value.value()))
    plain = value.plain_value()
    _give_back(plain)
    return plain


def _give_back(value: Any) -> None:
    """For each null that it converts, cel-expr-python 0.1.3 drops a reference to None that it does not own; where None
    can die (CPython before 3.12), the interpreter would. So hand one back for each.
    """
    if value is None:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(None))
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _give_back(item)


def is_finite(value: Any) -> bool:
    """Can JSON hold the value? Ours gives no infinity and no NaN as a result."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    return all(map(is_finite, value)) if isinstance(value, list) else True
