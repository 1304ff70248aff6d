"""Values of the IR in Python: what is done to them becomes nodes of a graph in the IR's text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from . import _burnish
from ._burnish import Error, UsageError

__all__ = ["Ops", "Trace", "Value", "ops"]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor of the IR while a function is traced."""

    trace: Trace
    name: str
    dtype: str  #: the IR's name: "f32", "bf16", "i64", "bool"
    shape: tuple[int | str, ...]  #: a number, or an expression over the model's symbols

    @property
    def rank(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    def __add__(self, other: Any) -> Any:
        return self.trace.call("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self.trace.call("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self.trace.call("sub", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.trace.call("sub", other, self)

    def __mul__(self, other: Any) -> Any:
        return self.trace.call("mul", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.trace.call("mul", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.trace.call("div", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.trace.call("div", other, self)

    def __pow__(self, other: Any) -> Any:
        return self.trace.call("pow", self, other)

    def __matmul__(self, other: Any) -> Any:
        return self.trace.call("matmul", self, other)

    def __neg__(self) -> Any:
        return self.trace.call("neg", self)

    def __lt__(self, other: Any) -> Any:
        return self.trace.call("less", self, other)

    def __gt__(self, other: Any) -> Any:
        return self.trace.call("greater", self, other)

    def cast(self, dtype: str) -> Any:
        """The same numbers as another element type, by the IR's name of it."""
        return self.trace.call("cast", self, to=dtype)


class Trace:
    """A graph in the IR's text, under construction."""

    def __init__(self, inputs: Sequence[tuple[str, tuple[int | str, ...]]]) -> None:
        types = [f"{dtype}[{','.join(map(str, shape))}]" for dtype, shape in inputs]
        self._head = f"({', '.join(f'%x{i}: {type_}' for i, type_ in enumerate(types))}) {{\n"
        self._lines: list[str] = []
        self._made = 0
        self.inputs = [Value(self, f"%x{i}", dtype, shape) for i, (dtype, shape) in enumerate(inputs)]

    def body(self, results: Sequence[str]) -> str:
        """The whole graph without its name; `results` are names of values."""
        return f"{self._head}{''.join(self._lines)}  yield {', '.join(f'y{i}={name}' for i, name in enumerate(results))}\n}}"

    def text(self, results: Sequence[str]) -> str:
        """The whole graph."""
        return f"graph traced{self.body(results)}"

    def types(self, results: Sequence[str]) -> list[tuple[str, tuple[int | str, ...]]]:
        """Inferred by the core."""
        return [(dtype, tuple(int(dim) if dim.isdigit() else dim for dim in dims)) for dtype, dims in _burnish.trace_types(self.text(results))]

    def call(self, op: str, *inputs: Any, outputs: int = 1, body: str = "", **attributes: Any) -> Any:
        """Adds a node, and gives its result, or a tuple of `outputs` results; `body` is a graph's text without its name."""
        like = next((value.dtype for value in inputs if isinstance(value, Value)), "f32")
        operands = [self._operand(value, like) for value in inputs]
        names = [f"%v{self._made + i}" for i in range(outputs)]
        braces = ", ".join(f"{name}={_attribute(value)}" for name, value in attributes.items())
        line = f"  {', '.join(names)} = {op}({', '.join(operands)}){f' {{{braces}}}' if braces else ''}{body and f' body {body}'} : {', '.join('_' * outputs)}\n"
        self._made += outputs
        self._lines.append(line)
        try:
            types = self.types(names)
        except Error as error:
            self._lines.pop()
            raise Error(f"op '{op}' of a traced function: {error}") from error
        values = tuple(Value(self, name, dtype, shape) for name, (dtype, shape) in zip(names, types, strict=True))
        return values if outputs > 1 else values[0]

    def _operand(self, value: Any, like: str) -> str:
        if value is None:
            return "_"
        if isinstance(value, Value):
            if value.trace is not self:
                raise UsageError("a traced function uses a value of another call; values do not outlive the call that they came in")
            return value.name
        data = numpy.asarray(value)
        if data.dtype.kind not in "biuf" or data.size > 4096:
            raise UsageError(f"a traced function takes values, numbers and lists of up to 4096 numbers, not {value!r}")
        dtype = like if data.ndim == 0 else "f32" if data.dtype.kind == "f" else "bool" if data.dtype.kind == "b" else "i64"
        name = f"@c{self._made}"
        self._made += 1
        elements = ", ".join(_number(element, dtype) for element in data.ravel().tolist())
        self._lines.append(f"  constant {name}: {dtype}[{','.join(map(str, data.shape))}] = {{{elements}}}\n")
        return name


def _number(value: Any, dtype: str) -> str:
    if dtype == "bool":
        return "true" if value else "false"
    if not dtype.startswith(("f", "bf")):
        if value != int(value):
            raise UsageError(f"{value} stands beside a value of type {dtype}: cast one of them")
        return str(int(value))
    return repr(float(value))


def _attribute(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_attribute, value))}]"
    return repr(value)


def _quoted(text: str) -> str:
    """The IR's strings know fewer escapes than JSON's."""
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n"}
    return '"' + "".join(escapes.get(c) or (c if " " <= c <= "~" else "".join(f"\\x{byte:02x}" for byte in c.encode())) for c in text) + '"'


class Ops:
    """Every op of the IR: ops.reduce_mean(x, axes=[-1], keepdims=True)."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def op(*inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
            trace = next((value.trace for value in inputs if isinstance(value, Value)), None)
            if trace is None:
                raise UsageError(f"ops.{name}: at least one operand is a value of the function's arguments")
            return trace.call(name, *inputs, outputs=outputs, **attributes)

        return op


ops = Ops()
