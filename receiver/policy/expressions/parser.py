"""Tokens -> syntax tree, by precedence.

From loose to tight: `?:`, `||`, `&&`, comparisons and `in`, `??`, `+ -`, `* / %`, unary `! -`, then `.` `[]` `()`. All
but `??` (ours; placed as in Kotlin and Swift, so that `a ?? 0 < 3` asks whether `a`, or else 0, is below 3) are CEL's.
Source: CEL language definition, section "Syntax".
"""

from __future__ import annotations

from typing import cast

from receiver.policy.expressions.faults import ExpressionError
from receiver.policy.expressions.lexer import Token, read_double, read_int, tokens
from receiver.policy.expressions.syntax import (
    MACROS,
    MAX_MACRO_NESTING,
    Binary,
    Call,
    Has,
    Index,
    ListLiteral,
    Literal,
    Logic,
    Macro,
    MacroKind,
    MapLiteral,
    Name,
    Node,
    Select,
    Ternary,
    Unary,
    children,
)

MAX_LENGTH = 4_096  # characters
MAX_DEPTH = 100  # of nesting in the text, and of the tree: everything after the parser may recurse

_LEVELS = {"||": 1, "&&": 2, "??": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6}
_LEVELS |= dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3)
_SIGNS = frozenset("!-")
_OPENINGS = frozenset(".[{")  # what may follow a value right away
CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_WORD_HINTS = {"and": "write '&&' for and", "or": "write '||' for or", "not": "write '!' for not"}
# words that other languages put between two values
_INFIX_HINTS = {
    "is": "write '==' for is, and '!=' for is not",
    "equals": "write '=='",
    "contains": "write text.contains('abc'), or 'abc' in list",
    "startswith": "write text.startsWith('abc')",
    "endswith": "write text.endsWith('abc')",
    "like": "write text.contains('abc')",
    "between": "write x >= a && x <= b",
}
RESERVED = frozenset(
    "as break const continue else for function if import let loop package namespace return var void while in".split()
)


def parse(text: str) -> Node:
    """The tree of an expression. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(MAX_LENGTH, f"longer than {MAX_LENGTH:,} characters")
    stream = tokens(text)
    parser = _Parser(stream)
    node = parser.expression()
    parser.expect_end()
    if len(stream) > MAX_DEPTH or sum(token.text in MACROS for token in stream) > MAX_MACRO_NESTING:
        _check_depth(node)  # a tree of few tokens is not deep: each level takes one
    return node


def _check_depth(node: Node) -> None:
    """Not recursive: only after it may others recurse."""
    pending = [(node, 1, 0)]
    while pending:
        part, depth, macros = pending.pop()
        if depth > MAX_DEPTH:
            raise ExpressionError(part.offset, f"nested more than {MAX_DEPTH} deep")
        if not isinstance(part, Macro):
            pending += [(child, depth + 1, macros) for child in children(part)]
            continue
        if macros == MAX_MACRO_NESTING:
            raise ExpressionError(part.offset, f"exists, all, filter and map nest at most {MAX_MACRO_NESTING} deep")
        pending.append((part.items, depth + 1, macros))
        pending += [(inside, depth + 1, macros + 1) for inside in (part.where, part.body) if inside is not None]


class _Parser:
    def __init__(self, stream: list[Token]) -> None:
        self._stream = stream
        self._position = 0
        self._next = stream[0]
        self._depth = 0

    def _take(self) -> Token:
        """The next token; behind the last one stands nothing, and nobody asks."""
        token = self._next
        self._position += 1
        self._next = self._stream[self._position]
        return token

    def _at(self, *operators: str) -> bool:
        return self._next.text in operators  # the text of a string has its quotes, so it is none of these

    def _take_if(self, operator: str) -> bool:
        if self._next.text == operator:
            self._take()
            return True
        return False

    def _expect(self, operator: str, place: str) -> None:
        if not self._take_if(operator):
            raise self._unexpected(f"; '{operator}' is expected {place}")

    def _unexpected(self, more: str = "") -> ExpressionError:
        token = self._next
        before = self._stream[self._position - 1] if self._position else None
        if token.kind == "name" and token.text.lower() in _WORD_HINTS:
            return ExpressionError(token.offset, _not_in(token, self._after()) or _WORD_HINTS[token.text.lower()])
        if before is not None and (hint := _hint(before, token)):
            return ExpressionError(before.offset, hint)
        if before is not None and token.text == "," and before.kind == self._after().kind == "int":
            return ExpressionError(token.offset, f"decimals take a point: {before.text}.{self._after().text}")
        if token.kind == "end":
            return ExpressionError(token.offset, f"the expression ends too early{more}")
        if token.kind == "name" and token.text.lower() in _INFIX_HINTS:
            return ExpressionError(token.offset, _INFIX_HINTS[token.text.lower()])
        if before is not None and (words := self._words()):
            return ExpressionError(before.offset, f"text goes in quotes: '{words}'")
        return ExpressionError(token.offset, f"unexpected '{token.text}'{more}")

    def _words(self) -> str:
        """Two or more capitalised words after a comparison, such as a status without its quotes."""
        start = end = self._position - 1
        while self._stream[end].kind == "name" and self._stream[end].text.istitle():
            end += 1
        compared = start > 0 and self._stream[start - 1].text in ("==", "!=", ",", "[")
        return " ".join(token.text for token in self._stream[start:end]) if compared and end - start > 1 else ""

    def _after(self) -> Token:
        """The token after the next one."""
        return self._stream[min(self._position + 1, len(self._stream) - 1)]

    def expect_end(self) -> None:
        """Raise ExpressionError unless the whole text has been read."""
        if self._next.kind != "end":
            raise self._unexpected()

    def expression(self) -> Node:
        """A whole expression, `?:` included."""
        condition = self._binary(1)
        if not self._at("?"):
            return condition
        offset = self._take().offset
        self._deeper()
        then = self.expression()
        self._expect(":", "between the two answers of '?'")
        otherwise = self.expression()
        self._depth -= 1
        return Ternary(offset, condition, then, otherwise)

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(self._next.offset, f"nested more than {MAX_DEPTH} deep")

    def _binary(self, loosest: int) -> Node:
        self._deeper()
        left = self._unary()
        while (level := _LEVELS.get(self._next.text, 0)) >= loosest:  # a string has its quotes: it is no operator
            operator = self._take()
            left = _joined(operator, left, self._binary(level + 1))
        self._depth -= 1
        return left

    def _unary(self) -> Node:
        if self._next.text not in _SIGNS:
            return self._postfix("", self._next.offset)
        signs: list[Token] = []
        while self._next.text in _SIGNS:
            signs.append(self._take())
        # the smallest int has no positive twin, so a minus is read as part of the literal
        negative = signs[-1].text == "-" and self._next.kind in ("int", "double")
        node = self._postfix("-" if negative else "", signs[-1].offset if negative else self._next.offset)
        for sign in reversed(signs[:-1] if negative else signs):
            node = Unary(sign.offset, "!" if sign.text == "!" else "-", node)
        return node

    def _postfix(self, sign: str, offset: int) -> Node:
        node = self._primary(sign, offset)
        while (text := self._next.text) in _OPENINGS:
            if text == ".":
                self._take()
                node = self._member(node)
            elif text == "[":
                bracket = self._take()
                node = Index(bracket.offset, node, self.expression())
                self._expect("]", "after an index")
            elif isinstance(node, Name | Select):
                raise ExpressionError(self._next.offset, 'messages cannot be built; write a map {"name": value}')
            else:
                break
        return node

    def _member(self, target: Node) -> Node:
        token = self._next
        if token.kind != "name":
            raise self._unexpected("; a field name is expected after '.'")
        if token.text in CONSTANTS or token.text == "in":
            raise ExpressionError(token.offset, f"'{token.text}' is a word of the language; write [\"{token.text}\"]")
        self._take()
        if not self._take_if("("):
            return Select(token.offset, target, token.text)
        arguments = self._sequence(")", "after the arguments")
        if token.text in MACROS:
            return _macro(token, target, arguments)
        return Call(token.offset, token.text, (target, *arguments), method=True)

    def _sequence(self, closing: str, place: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._at(closing):
            items.append(self.expression())
            if not self._take_if(","):
                break
            if closing == ")" and self._at(closing):
                raise self._unexpected()
        self._expect(closing, place)
        return tuple(items)

    def _primary(self, sign: str, offset: int) -> Node:
        token = self._next
        if token.kind == "name":
            return self._name()
        if token.kind in ("end", "operator") and not self._at("(", "[", "{"):
            raise self._unexpected()
        self._take()
        if token.kind == "int":
            return Literal(offset, read_int(sign + token.text, offset))
        if token.kind == "double":
            return Literal(offset, read_double(sign + token.text, offset))
        if token.kind == "string":
            return Literal(offset, token.value)
        return self._bracketed(token)

    def _bracketed(self, opening: Token) -> Node:
        if opening.text == "[":
            return ListLiteral(opening.offset, self._sequence("]", "at the end of the list"))
        if opening.text == "{":
            return self._map(opening.offset)
        node = self.expression()
        self._expect(")", "to close this parenthesis")
        return node

    def _map(self, offset: int) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self._at("}"):
            key = self.expression()
            self._expect(":", "after the key of a map")
            entries.append((key, self.expression()))
            if not self._take_if(","):
                break
        self._expect("}", "at the end of the map")
        return MapLiteral(offset, tuple(entries))

    def _name(self) -> Node:
        token = self._next
        if token.text in _WORD_HINTS or token.text in RESERVED:
            raise self._unexpected(" (a reserved word)" if token.text in RESERVED else "")
        self._take()
        if token.text in CONSTANTS:
            return Literal(token.offset, CONSTANTS[token.text])
        if not self._take_if("("):
            return Name(token.offset, token.text)
        arguments = self._sequence(")", "after the arguments")
        if token.text == "has":
            return _has(token, arguments)
        return Call(token.offset, token.text, arguments, method=False)


def _not_in(token: Token, after: Token) -> str:
    return "write !(a in b) for not in" if token.text.lower() == "not" and after.text.lower() == "in" else ""


def _hint(before: Token, token: Token) -> str:
    """What to write where the token before is the slip, and this one only shows it."""
    if before.kind == "name" and before.text.lower() == "not":
        return _WORD_HINTS["not"]
    if before.text == "<" and token.text == ">":
        return "write '!=' for not equal"
    if before.text == "%" and token.kind == "end":
        return "write a percentage as a plain number, without '%'"
    return ""


def _joined(operator: Token, left: Node, right: Node) -> Node:
    if operator.text not in ("&&", "||"):
        return Binary(operator.offset, operator.text, left, right)
    if isinstance(left, Logic) and left.operator == operator.text:
        return Logic(left.offset, left.operator, (*left.operands, right))
    return Logic(operator.offset, "&&" if operator.text == "&&" else "||", (left, right))


def _has(token: Token, arguments: tuple[Node, ...]) -> Has:
    if len(arguments) != 1 or not isinstance(arguments[0], Select | Index):
        raise ExpressionError(token.offset, "has() takes one path with a field, such as has(event.country)")
    return Has(token.offset, arguments[0])


def _macro(token: Token, items: Node, arguments: tuple[Node, ...]) -> Macro:
    kind = cast("MacroKind", token.text)
    most = 3 if kind == "map" else 2
    if not 2 <= len(arguments) <= most:
        raise ExpressionError(token.offset, f"{kind}() takes a variable and an expression, such as {kind}(x, x.field)")
    variable = arguments[0]
    if not isinstance(variable, Name):
        raise ExpressionError(variable.offset, f"{kind}() takes a plain name as its first argument")
    where = arguments[1] if len(arguments) == 3 else None
    return Macro(token.offset, kind, items, variable.name, where, arguments[-1])
