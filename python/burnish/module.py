"""A compiled model that is called with arrays by name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _burnish
from .report import record_text


@dataclass(frozen=True)
class Io:
    """An input or output."""

    name: str
    #: NumPy's name of the element type, or ml_dtypes' where NumPy has none: "float32", "bfloat16", "float8_e4m3fn".
    dtype: str
    #: A number for each fixed dimension, and an expression over named symbols ("n", "2*w") for each open one.
    shape: tuple[int | str, ...]


class Module:
    """A compiled model. Threads may call one Module at the same time; each call has a session to itself.

    Made by `burnish.compile` and `burnish.load`.
    """

    def __init__(self, engine: _burnish.Engine) -> None:
        self._engine = engine

    def __call__(self, inputs: Mapping[str, Any], out: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Run once.

        `inputs` holds an array for each input, of its element type: NumPy's, or any that has `__dlpack__`, on the
        host or on the engine's GPU. Contiguous arrays are read in place, others are copied first. For a type that NumPy
        lacks (bfloat16, float8, four-bit integers), an array of ml_dtypes or the bits as unsigned integers will do.

        Gives an array for each output, which is the caller's to keep: NumPy's where all inputs lay on the host, else
        `burnish.Array` on the GPU, written in the order of CUDA's default stream. Types that NumPy lacks also come as
        `burnish.Array`. Outputs named in `out` are written into the arrays there, contiguous and of the right shape.

        Raises `burnish.Error` that names the input that is missing, unknown, or of the wrong type or shape.
        """
        return self._engine.run(dict(inputs), dict(out or {}), None)

    @property
    def inputs(self) -> tuple[Io, ...]:
        """What a call takes, in the model's order."""
        return _described(self._engine.inputs)

    @property
    def outputs(self) -> tuple[Io, ...]:
        """What a call gives, in the model's order."""
        return _described(self._engine.outputs)

    @property
    def metadata(self) -> dict[str, str]:
        """What the model says of itself: the metadata_props of an ONNX file."""
        return self._engine.metadata

    @property
    def device(self) -> str:
        """Where it runs, as in "cpu" or "cuda:0"."""
        return self._engine.device

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an engine file, which `burnish.load` and the command line read. It is written whole or not at all."""
        self._engine.save(os.fspath(path))

    def explain(self) -> str:
        """What the build did, and why: each rewrite, each fusion refused, each kernel with its time and the ways not taken.

        The command `burnish explain` prints the same and more of it for an engine file.
        """
        return record_text(self._engine.record)

    def refit(self, weights: Mapping[str, Any]) -> None:
        """Take other values for some of the model's weights, by the names of its initializers; nothing is tuned again.

        Arrays have the weights' types and shapes, and are copied. Calls that run meanwhile end with the old weights. In
        float32 the results are those of a fresh `compile` with the same tuning cache, bit for bit. Raises
        `burnish.Error` that names a weight that is unknown, has another type or shape, or is compiled in; then nothing
        has changed.
        """
        self._engine = self._engine.refit(dict(weights))

    def __repr__(self) -> str:
        def texts(ios: tuple[Io, ...]) -> str:
            return ", ".join(f"{io.name}: {io.dtype}[{', '.join(map(str, io.shape))}]" for io in ios)

        return f"burnish.Module(({texts(self.inputs)}) -> ({texts(self.outputs)}), device={self.device!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_engine": engine_bytes(self._engine)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._engine = engine_from_bytes(state["_engine"])

    def __deepcopy__(self, memo: dict[int, Any]) -> Module:
        return Module(self._engine)  # engines are immutable


def module_of(engine: _burnish.Engine) -> Module:
    """The module of a loaded engine: one made from PyTorch's says how it is called."""
    calling = engine.metadata.get("burnish.calling")
    if calling is None:
        return Module(engine)
    try:
        from .torch_module import loaded_module
    except ImportError as error:
        raise _burnish.Error("the engine was made from a module of PyTorch and is called like that, which needs the package torch") from error
    return loaded_module(engine, calling)


def engine_bytes(engine: _burnish.Engine) -> bytes:
    """The bytes of the engine's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.burnish")
        engine.save(str(path))
        return path.read_bytes()


def engine_from_bytes(data: bytes) -> _burnish.Engine:
    """The engine of a file's bytes, on the device that it was built for."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.burnish")
        path.write_bytes(data)
        return _burnish.Engine.load(str(path), "", 0, None)


def _described(rows: list[tuple[str, str, list[str]]]) -> tuple[Io, ...]:
    return tuple(Io(name, dtype, tuple(int(dim) if dim.isdigit() else dim for dim in dims)) for name, dtype, dims in rows)
