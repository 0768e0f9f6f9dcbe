"""Mutation testing of the expression language and of deciding: what the tests would not notice.

Small changes (a comparison turned, a constant moved, a `not` dropped, `and` for `or`, a statement deleted, a return
emptied) are made one at a time in a copy of the project, and the fast tests run against each until one fails. What
survives is printed as a change: either a test is missing, or the change makes no difference.

python bench/mutation.py [--count 400] [--seed 1] [--only values.py] [--minutes 5]

It takes one core, and about 2 s for each mutant.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("receiver", "handlers", "tests", "bench")
FILES = [
    *sorted((ROOT / "receiver/policy/expressions").glob("*.py")),
    ROOT / "receiver/policy/decide.py",
    ROOT / "receiver/policy/evaluation.py",
]
TESTS = [
    "tests/policy/expressions/test_expression_values.py",
    "tests/policy/expressions/test_reduced.py",
    *(f"tests/policy/expressions/test_expression_{name}.py" for name in ("syntax", "checks", "bounds", "survivors")),
    "tests/policy/expressions/test_generated.py",
    "tests/policy/test_policy_decide.py",
    "tests/policy/test_policy_unexplained.py",
]
REDUCED = '''"""The comparison with CEL, shortened."""

from tests.policy.expressions.test_expression_against_cel import Chunk


def test_two_thousand_pairs() -> None:
    """As in the full one."""
    Chunk(1).run(2_000)
'''
SECONDS = 30  # of CPU for one mutant; one that takes more counts as noticed

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One changed file."""

    path: Path
    line: int
    before: str
    after: str
    text: str


class Changer(ast.NodeTransformer):
    """Makes the change number `wanted`, or only counts changes."""

    def __init__(self, wanted: int = -1) -> None:
        self.wanted = wanted
        self.seen = 0
        self.made: tuple[int, str, str] | None = None

    def _turn(self, node: ast.AST, changed: ast.AST) -> ast.AST:
        self.seen += 1
        if self.seen - 1 != self.wanted:
            return node
        self.made = (getattr(node, "lineno", 0), ast.unparse(node), ast.unparse(changed))
        return ast.copy_location(changed, node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Annotations stay; so do type aliases."""
        if node.value is not None and "TypeAlias" not in ast.unparse(node.annotation):
            node.value = self.visit(node.value)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        """Likewise."""
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """The body alone: no docstring, no decorator, no types."""
        first = node.body[0]
        start = 1 if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) else 0
        node.body = [*node.body[:start], *(self.visit(statement) for statement in node.body[start:])]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """A call for its effect is left out."""
        if isinstance(node.value, ast.Constant):
            return node
        turned = self._turn(node, ast.Pass())
        return self.generic_visit(node) if turned is node else turned

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """No error; its words are not looked at."""
        return self._turn(node, ast.Pass())

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Left out."""
        turned = self._turn(node, ast.Pass())
        return self.generic_visit(node) if turned is node else turned

    def visit_Return(self, node: ast.Return) -> ast.AST:
        """Nothing is returned."""
        if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
            return node
        turned = self._turn(node, ast.Return(ast.Constant(None)))
        return self.generic_visit(node) if turned is node else turned

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """The first comparison is turned."""
        turned = COMPARISONS[type(node.ops[0])]()
        changed = self._turn(node, ast.Compare(node.left, [turned, *node.ops[1:]], node.comparators))
        return self.generic_visit(node) if changed is node else changed

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """`and` for `or`."""
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        changed = self._turn(node, ast.BoolOp(other, node.values))
        return self.generic_visit(node) if changed is node else changed

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Without its `not` or sign."""
        changed = self._turn(node, node.operand)
        return self.generic_visit(node) if changed is node else changed

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Another operation."""
        other = ARITHMETIC.get(type(node.op))
        if other is None:  # sets and masks
            return self.generic_visit(node)
        changed = self._turn(node, ast.BinOp(node.left, other(), node.right))
        return self.generic_visit(node) if changed is node else changed

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """The two answers swapped."""
        changed = self._turn(node, ast.IfExp(node.test, node.orelse, node.body))
        return self.generic_visit(node) if changed is node else changed

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Words are not looked at."""
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """True for False, and the next number."""
        if isinstance(node.value, bool):
            return self._turn(node, ast.Constant(not node.value))
        return self._turn(node, ast.Constant(node.value + 1)) if isinstance(node.value, int) else node

    def visit_Continue(self, node: ast.Continue) -> ast.AST:
        """Left out."""
        return self._turn(node, ast.Pass())

    def visit_Break(self, node: ast.Break) -> ast.AST:
        """Left out."""
        return self._turn(node, ast.Pass())


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mutant of a file."""
    text = path.read_text()
    counting = Changer()
    counting.visit(ast.parse(text))
    for wanted in range(counting.seen):
        changer = Changer(wanted)
        tree = ast.fix_missing_locations(changer.visit(ast.parse(text)))
        assert changer.made is not None
        line, before, after = changer.made
        yield Mutant(path.relative_to(ROOT), line, before, after, ast.unparse(tree))


def passes(copy: Path) -> bool | None:
    """Do the tests pass in the copy? None: they take too long. A child runs them, with what is imported here."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            _run_tests(copy)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return None if code in (-signal.SIGXCPU, -signal.SIGKILL) else code == 0


def _run_tests(copy: Path) -> None:
    import pytest

    os.chdir(copy)
    sys.path.insert(0, str(copy))
    resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    plugins = [word for name in ("cacheprovider", "xdist", "pytest_cov") for word in ("-p", f"no:{name}")]
    os._exit(int(pytest.main(["-x", "-q", "--tb=no", f"--rootdir={copy}", *plugins, *TESTS])))


def copied(folder: Path) -> Path:
    """The project, to be changed."""
    copy = folder / "copy"
    copy.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "config.yaml"):
        shutil.copy(ROOT / name, copy / name)
    (copy / "tests/policy/expressions/test_reduced.py").write_text(REDUCED)
    return copy


def main() -> None:
    """Draw, run, tell."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=400, help="mutants to draw; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=600, help="draw no more after so long")
    parser.add_argument("--only", default="", help="files whose path has these words")
    arguments = parser.parse_args()
    import pydantic
    import pytest
    import yaml

    del pydantic, pytest, yaml  # every child has them now
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    every = [mutant for path in FILES if arguments.only in str(path) for mutant in mutants(path)]
    drawn = random.Random(arguments.seed).sample(every, min(arguments.count or len(every), len(every)))
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        copy = copied(Path(folder))
        if not passes(copy):
            sys.exit("the tests fail without any change")
        print(f"{len(drawn)} of {len(every)} mutants, seed {arguments.seed}", flush=True)
        end = time.monotonic() + 60 * arguments.minutes
        for mutant in drawn:
            if time.monotonic() > end:
                break
            original = (copy / mutant.path).read_text()
            (copy / mutant.path).write_text(mutant.text)
            ended = {True: "survived", False: "killed", None: "too long"}[passes(copy)]
            (copy / mutant.path).write_text(original)
            counts.setdefault(str(mutant.path), Counter())[ended] += 1
            if ended == "survived":
                print(f"survived: {mutant.path}:{mutant.line}: {mutant.before}  ->  {mutant.after}", flush=True)
    tell(counts)


def tell(counts: dict[str, Counter[str]]) -> None:
    """The table, by file."""
    total: Counter[str] = Counter()
    for path, ends in sorted(counts.items()):
        total += ends
        print(f"{path:50} {_shares(ends)}")
    print(f"{'together':50} {_shares(total)}")


def _shares(ends: Counter[str]) -> str:
    noticed = ends["killed"] + ends["too long"]
    return f"{ends.total():5} mutants, {noticed / ends.total():6.1%} noticed ({ends['too long']} by time)"


if __name__ == "__main__":
    main()
