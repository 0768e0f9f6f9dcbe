"""Text -> tokens, with CEL's literals and escapes.

Source: CEL language definition, section "Syntax" (lexical rules) and "String and Bytes Values".
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

from receiver.policy.expressions.faults import ExpressionError
from receiver.policy.expressions.values import INT_MAX, INT_MIN

TokenKind: TypeAlias = Literal["int", "double", "string", "name", "operator", "end"]

_TOKEN = re.compile(  # after blanks and comments
    r"(?:[ \t\n\r\f]+|//[^\n]*)*"
    r"(?:(?P<opening>(?:[rR]|[bB][rR]?)?(?:\"\"\"|\'\'\'|[\"\']))"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<double>[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)"
    r"|(?P<int>0x[0-9a-fA-F]+|[0-9]+)"
    r"|(?P<operator>&&|\|\||==|!=|<=|>=|\?\?|[-+*/%!<>?:.,()\[\]{}])"
    r"|(?P<end>\Z)"
    r"|(?P<unknown>.))",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_PLAIN_ESCAPES = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_HINTS = {
    "=": "'=' does not compare; write '=='",
    "=>": "write '>='",
    "=<": "write '<='",
    "=~": "regular expressions are not supported; use contains(), startsWith() or endsWith()",
    "\N{GREATER-THAN OR EQUAL TO}": "write '>='",
    "\N{LESS-THAN OR EQUAL TO}": "write '<='",
    "\N{NOT EQUAL TO}": "write '!='",
    "\N{NO-BREAK SPACE}": "a no-break space, which looks like a blank: write a blank",
    ";": "one expression ends here; further conditions are items of their own",
    "&": "write '&&' for and",
    "|": "write '||' for or",
    "`": 'a field name in backquotes is not supported; write ["name"]',
    "\N{LEFT DOUBLE QUOTATION MARK}": "write straight quotes",
    "\N{RIGHT DOUBLE QUOTATION MARK}": "write straight quotes",
    "\N{DOUBLE LOW-9 QUOTATION MARK}": "write straight quotes",
    "\N{LEFT SINGLE QUOTATION MARK}": "write straight quotes",
    "\N{RIGHT SINGLE QUOTATION MARK}": "write straight quotes",
}


class Token(NamedTuple):
    """One token. `text` is as written; `value` is what a string means. Numbers are read later, with their sign."""

    kind: TokenKind
    text: str
    offset: int
    value: str = ""


def tokens(text: str) -> list[Token]:
    """The tokens of a text; the last has kind `end`. Raises ExpressionError."""
    found: list[Token] = []
    kind, end = "", 0
    while kind != "end":
        match = _TOKEN.match(text, end)
        assert match is not None
        kind = match.lastgroup or ""
        offset, end = match.span(kind)
        if kind == "opening":
            found.append(_string(text, offset, text[offset:end]))
            end = offset + len(found[-1].text)
            continue
        if kind == "unknown":
            raise _unknown(text, offset)
        if kind in ("int", "double"):
            _check_number_end(text, end)
        found.append(Token(kind, text[offset:end], offset))  # type: ignore[arg-type]  # the groups are named for kinds
    return found


def _unknown(text: str, offset: int) -> ExpressionError:
    """What to write for a character that begins no token."""
    if text[offset] == "=" and text[:offset].endswith(("==", "!=")):
        return ExpressionError(offset - 2, f"write '{text[offset - 2 : offset]}' for '{text[offset - 2 : offset + 1]}'")
    said = _HINTS.get(text[offset : offset + 2]) or _HINTS.get(text[offset])
    return ExpressionError(offset, said or f"unexpected character {text[offset]!r}")


def _check_number_end(text: str, end: int) -> None:
    after = text[end : end + 1]
    if after in ("u", "U"):
        raise ExpressionError(end, "unsigned integers are not supported; leave out the 'u'")
    if after.isalnum() or after == "_":
        raise ExpressionError(end, f"unexpected {after!r} after a number")


def read_int(digits: str, offset: int) -> int:
    """An int literal with its sign, decimal or hexadecimal. Raises ExpressionError outside 64 bits."""
    small = len(digits.lstrip("-0x")) <= 19  # Python limits how many digits it reads, and the limit can be set
    value = int(digits, 16 if "x" in digits else 10) if small else INT_MAX + 1
    if not INT_MIN <= value <= INT_MAX:
        raise ExpressionError(offset, "an integer outside 64 bits")
    return value


def read_double(digits: str, offset: int) -> float:
    """A double literal with its sign. Raises ExpressionError where it would be infinite."""
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ExpressionError(offset, "a number too large for a double")
    return value


def _string(text: str, offset: int, opening: str) -> Token:
    quote = opening.lstrip("rRbB")
    prefix = opening.removesuffix(quote)
    if prefix[:1] in ("b", "B"):
        raise ExpressionError(offset, "bytes are not supported; write a string")
    start = offset + len(opening)
    end = _string_end(text, start, quote, raw=bool(prefix))
    body = text[start:end]
    if len(quote) == 1 and (line_end := re.search(r"[\r\n]", body)):
        raise ExpressionError(start + line_end.start(), "a string in single marks ends on its line; use three marks")
    value = body if prefix else _unescape(body, start)
    return Token("string", text[offset : end + len(quote)], offset, value)


def _string_end(text: str, start: int, quote: str, *, raw: bool) -> int:
    position = start
    while position < len(text):
        if text[position] == "\\" and not raw:
            position += 2
        elif text.startswith(quote, position):
            return position
        else:
            position += 1
    raise ExpressionError(start - len(quote), "this string has no end")


def _unescape(body: str, start: int) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[5] is not None:
            if match[5] not in _PLAIN_ESCAPES:
                raise ExpressionError(start + match.start(), f"unknown escape {match[0]!r} in a string")
            return _PLAIN_ESCAPES[match[5]]
        code = int(match[4], 8) if match[4] else int(match[1] or match[2] or match[3], 16)
        if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            raise ExpressionError(start + match.start(), "an escape that is no Unicode character")
        return chr(code)

    return _ESCAPE.sub(replace, body)
