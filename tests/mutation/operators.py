"""Mutants of Python source: one small change each, as a careless hand might make it."""

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from tests.mutation.sql import changed_sql, is_sql

Members = Mapping[str, Sequence[str]]
"""Members of each enum that may be swapped."""

_SWAPS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.LShift: ast.RShift,
    ast.FloorDiv: ast.Mult,
}
_OTHER_NAME = {"min": "max", "max": "min", "any": "all", "all": "any"}
_ALIASES = {"_S": "Status"}
_QUIET = frozenset({"log", "logging"})
_UNTOUCHED_FUNCTIONS = frozenset({"_log"})


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one file; `name` says it in words that survive a moved line."""

    path: str
    line: int
    function: str
    what: str
    source: str

    @property
    def name(self) -> str:
        """`refunds/domain/judge.py in_doubt: max -> min`."""
        return f"{self.path} {self.function}: {self.what}"


@dataclass(frozen=True, slots=True)
class _Site:
    node: ast.AST
    put: Callable[[ast.AST | None], None]
    function: str


def mutants_of(path: str, text: str, members: Members) -> Iterator[Mutant]:
    """Every mutant, in the order of the source. Annotations, docstrings and log lines stay as they are."""
    seen = Counter[tuple[str, str]]()
    for number, original in enumerate(_sites(ast.parse(text))):
        for index, _ in enumerate(_changes(original.node, members)):
            fresh = ast.parse(text)
            site = next(islice(_sites(fresh), number, None))
            what, new = list(_changes(site.node, members))[index]
            line = getattr(site.node, "lineno", 0)
            site.put(new)
            seen[site.function, what] += 1
            again = seen[site.function, what]
            what = f"{what} (no. {again})" if again > 1 else what
            yield Mutant(path, line, site.function, what, ast.unparse(ast.fix_missing_locations(fresh)))


def _sites(tree: ast.Module) -> Iterator[_Site]:
    yield from _inside(tree, "module")


def _inside(node: ast.AST, function: str) -> Iterator[_Site]:
    for name, value in ast.iter_fields(node):
        if _stays(node, name):
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_quiet(child):
                continue
            yield _Site(child, _putter(node, name, index if isinstance(value, list) else None), function)
            inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            yield from _inside(child, inner)


def _putter(parent: ast.AST, name: str, index: int | None) -> Callable[[ast.AST | None], None]:
    def put(new: ast.AST | None) -> None:
        if index is None:
            setattr(parent, name, new)
        elif new is None:
            getattr(parent, name)[index] = ast.Pass()
        else:
            getattr(parent, name)[index] = new

    return put


def _stays(node: ast.AST, field: str) -> bool:
    if field in {"annotation", "returns", "decorator_list", "bases", "keywords", "type_params"}:
        return field != "keywords" or isinstance(node, ast.ClassDef)
    return isinstance(node, ast.Import | ast.ImportFrom) or field == "ctx"


def _is_quiet(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef) and node.name in _UNTOUCHED_FUNCTIONS:
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    call = node.value if isinstance(node, ast.Expr) else node
    if not isinstance(call, ast.Call):
        return False
    if isinstance(call.func, ast.Name) and call.func.id in {"assert_never", "TypeVar"}:
        return True
    root = call.func
    while isinstance(root, ast.Attribute | ast.IfExp):
        root = root.value if isinstance(root, ast.Attribute) else root.body
    return isinstance(root, ast.Name) and root.id in _QUIET


Change = tuple[str, ast.AST | None]


def _changes(node: ast.AST, members: Members) -> Iterator[Change]:
    yield from _logic(node)
    yield from _branches(node)
    yield from _statements(node)
    yield from _names(node, members)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        other = _ARITHMETIC[type(node.op)]
        yield f"{_told(node)} with {other.__name__}", ast.BinOp(node.left, other(), node.right)
    if isinstance(node, ast.Constant):
        yield from _constants(node)


def _logic(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[op], left=left, comparators=others) if type(op) in _SWAPS:
            for other in _SWAPS[type(op)]:
                yield f"{_told(node)} with {other.__name__}", ast.Compare(left, [other()], others)
        case ast.BoolOp(op=op, values=values):
            swapped = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield f"{_told(node)} with {type(swapped).__name__}", ast.BoolOp(op=swapped, values=values)
            for value in values:
                rest = [each for each in values if each is not value]
                kept = rest[0] if len(rest) == 1 else ast.BoolOp(op=op, values=rest)
                yield f"{_told(node)} without {_told(value)}", kept
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield f"{_told(node)} without not", operand
        case _:
            pass


def _branches(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield f"{_told(node)} turned round", ast.IfExp(test=test, body=orelse, orelse=body)
        case ast.If() | ast.While():
            yield f"if {_told(node.test)} negated", _with_test(node, ast.UnaryOp(ast.Not(), node.test))
        case ast.comprehension(ifs=[condition]):
            yield (
                f"no filter {_told(condition)}",
                ast.comprehension(target=node.target, iter=node.iter, ifs=[], is_async=node.is_async),
            )
        case _:
            pass


def _statements(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.AugAssign() | ast.Continue() | ast.Break() | ast.Raise() | ast.Expr(value=ast.Call()):
            yield f"{_told(node)} removed", None
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield f"{_told(node)} removed", None
        case _:
            pass


def _names(node: ast.AST, members: Members) -> Iterator[Change]:
    match node:
        case ast.Name(id=name) if name in _OTHER_NAME:
            yield f"{name} for {_OTHER_NAME[name]}", ast.Name(id=_OTHER_NAME[name], ctx=ast.Load())
        case ast.Attribute(value=ast.Name(id=owner), attr=member):
            names = list(members.get(_ALIASES.get(owner, owner), ()))
            if member in names:
                other = names[(names.index(member) + 1) % len(names)]
                yield (
                    f"{owner}.{member} as {other}",
                    ast.Attribute(ast.Name(owner, ast.Load()), other, ast.Load()),
                )
        case _:
            pass


def _constants(node: ast.Constant) -> Iterator[Change]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} turned round", ast.Constant(not value)
    elif isinstance(value, int):
        yield f"{value} + 1", ast.Constant(value + 1)
        yield f"{value} - 1", ast.Constant(value - 1)
    elif isinstance(value, float):
        yield f"{value} + 1", ast.Constant(value + 1)
    elif isinstance(value, str) and is_sql(value):
        for what, changed in changed_sql(value):
            yield f"SQL {what}", ast.Constant(changed)


def _with_test(node: ast.If | ast.While, test: ast.expr) -> ast.stmt:
    kind = ast.If if isinstance(node, ast.If) else ast.While
    return kind(test=test, body=node.body, orelse=node.orelse)


def _told(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:87]}..."
