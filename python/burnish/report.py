"""What became of the graphs of torch.compile: explain()."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fx_piece import Piece


@dataclass(frozen=True)
class Left:
    """An op that stays in PyTorch."""

    op: str  #: as in "aten.bincount.default"
    where: str  #: the line of the module's code that calls it, where that is known
    reason: str


@dataclass(eq=False)
class GraphReport:
    """One graph."""

    ops: int
    pieces: list[Piece] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)

    def runs(self, piece: Piece) -> None:
        """A part of the graph, or all of it, became an engine."""
        self.pieces.append(piece)

    def stays(self, op: str, where: str, reason: str) -> None:
        """An op stays in PyTorch; said once for each op, line and reason."""
        entry = Left(op, where, reason)
        if entry not in self.left:
            self.left.append(entry)

    def text(self) -> str:
        """What stays in PyTorch and why, then each engine's record."""
        engines = "1 engine" if len(self.pieces) == 1 else f"{len(self.pieces)} engines"
        lines = [f"a graph of {self.ops} ops: {engines}, " + ("nothing stays in PyTorch" if not self.left else "in PyTorch stays")]
        lines += [f"  {left.op}{f' at {left.where}' if left.where else ''}: {left.reason}" for left in self.left]
        for piece in self.pieces:
            lines += ["  " + line for line in record_text(piece.engine.record).splitlines()]
        return "\n".join(lines)


_called: list[GraphReport] | None = None


def note_call(report: GraphReport) -> None:
    """A compiled graph is about to run."""
    if _called is not None and report not in _called:
        _called.append(report)


@contextmanager
def called_graphs() -> Iterator[list[GraphReport]]:
    """The graphs that run meanwhile, in any thread, in the order of their first call."""
    global _called
    before, _called = _called, []
    try:
        yield _called
    finally:
        _called = before


def explain(compiled: Any, *args: Any, **kwargs: Any) -> str:
    """What a call of a module that torch.compile(..., backend="burnish") made consists of: its graphs, which ops of
    them stay in PyTorch, with the reason, and the kernels of the engines. The call is made, under torch.no_grad()."""
    import torch

    with called_graphs() as graphs, torch.no_grad():
        compiled(*args, **kwargs)
    return "\n".join(report.text() for report in graphs) or "no graph of Burnish's ran"


def record_text(record: str) -> str:
    """The record of a build as text: what was rewritten, and each kernel with its time and the ways not taken."""
    if not record:
        return "the engine has no record of its build\n"
    stored = json.loads(record)
    lines = [f"for {stored['device']['name']} ({stored['device']['arch']})", "rewrites"]
    lines += [f"  {one['rule']} at {one['where']}: {one['what']}" for one in stored["rewrites"]]
    lines += ["not fused"] if stored["refused_regions"] else []
    lines += [f"  {one['ops']} at {one['where']}: {one['reason']}" for one in stored["refused_regions"]]
    lines += ["kernels"]
    for kernel in stored["kernels"]:
        lines.append(f"  {kernel['node']} ({kernel['op']}): {kernel['tactic']} {kernel['candidate']}, {_time(kernel['us'])}")
        for way in stored["problems"][kernel["problem"]]["alternatives"]:
            if (way["tactic"], way["candidate"]) != (kernel["tactic"], kernel["candidate"]):
                lines.append(f"    not {way['tactic']} {way['candidate']}: {way.get('reason') or _time(way['us'])}")
    return "\n".join(lines) + "\n"


def _time(us: float | None) -> str:
    return "untimed" if us is None else f"{us:.1f} us"
