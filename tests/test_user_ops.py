"""Ops of the user's own: functions over IR values, and what stands in their place."""

import copy
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
pytest.importorskip("onnxscript", reason="PyTorch's ONNX exporter needs onnxscript, which is not installed")

import burnish  # noqa: E402
from burnish import converters, user_ops  # noqa: E402
from burnish.torch2trt import tensorrt_converter, torch2trt  # noqa: E402
from burnish.user_ops import ops, user_op  # noqa: E402

NO_TUNING: dict[str, Any] = {"device": "cpu", "tune": "model", "tuning_cache": "none"}


@user_op
def scaled_swish(x: Any, beta: float = 1.0) -> Any:
    """Pointwise."""
    return x * ops.sigmoid(x * beta)


@user_op
def centred(x: Any) -> Any:
    """Two results, an op with attributes, and another user op inside."""
    mean = ops.reduce_mean(x, axes=[-1], keepdims=True)
    return {"centred": scaled_swish(x - mean, 2.0), "mean": mean}


@user_op
def picked(x: Any, index: Any) -> Any:
    """Integers, a list of numbers, a type changed."""
    rows = ops.gather(x, index, axis=0)
    return ops.reshape(rows, [0, 2, -1]) + ops.reshape(index.cast(x.dtype), [-1, 1, 1])


class Net(torch.nn.Module):
    """User ops between PyTorch's."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(6, 6)

    def forward(self, x: torch.Tensor, index: torch.Tensor) -> Any:
        parts = centred(scaled_swish(self.linear(x), 1.5))
        return picked(parts["centred"] + parts["mean"], index)


def expected(net: Net, x: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    y = net.linear(x)
    y = y * torch.sigmoid(1.5 * y)
    centre = y - y.mean(-1, keepdim=True)
    rows = (centre * torch.sigmoid(2 * centre) + y.mean(-1, keepdim=True))[index]
    return rows.reshape(-1, 2, 3) + index.reshape(-1, 1, 1)


def test_user_ops_in_a_module(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Net().eval()
    x, index = torch.randn(5, 6), torch.tensor([4, 0, 2])
    with torch.no_grad():
        torch.testing.assert_close(net(x, index), expected(net, x, index))  # eagerly, on the reference kernels
        batch = torch.export.Dim("batch", max=64)
        fast = burnish.compile(net, (x, index), dynamic_shapes={"x": {0: batch}, "index": None}, **NO_TUNING)
        for rows in (5, 17):
            x = torch.randn(rows, 6)
            torch.testing.assert_close(fast(x, index), expected(net, x, index))
        fast.save(tmp_path / "net.burnish")
        loaded: Any = burnish.load(tmp_path / "net.burnish")
        torch.testing.assert_close(loaded(x, index), expected(net, x, index))


def test_a_pointwise_user_op_joins_the_product_before_it() -> None:
    class Short(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(6, 6)

        def forward(self, x: torch.Tensor) -> Any:
            return scaled_swish(self.linear(x), 1.5)

    net = Short().eval()
    x = torch.randn(4, 6)
    lines: list[str] = []
    fast = burnish.compile(net, (x,), log=lines.append, **NO_TUNING)
    with torch.no_grad():
        torch.testing.assert_close(fast(x), net(x))


def test_mistakes_are_named() -> None:
    x = torch.randn(2, 3)
    with pytest.raises(burnish.Error, match="op 'sigmod' of a traced function"):
        user_op(lambda v: ops.sigmod(v))(x)
    with pytest.raises(burnish.Error, match="op 'add' of a traced function"):
        user_op(lambda v: v + [1.0, 2.0])(x)
    with pytest.raises(burnish.Error, match="returns values"):
        user_op(lambda v: 3)(x)
    with pytest.raises(burnish.Error, match="there is nothing called 'torch.nn.functional.glu2'"):
        user_ops.converter("torch.nn.functional.glu2")


def test_a_converter_stands_for_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(converters, "_converters", {})

    @tensorrt_converter("torch.nn.functional.softsign")
    def convert(x: Any) -> Any:
        return x * 2.0  # not what softsign is: so it is seen that this stands for it

    class Soft(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.softsign(x) + 1

    x = torch.randn(3, 4)
    original = torch.nn.functional.softsign
    torch.testing.assert_close(torch2trt(Soft().eval(), [x])(x), 2 * x + 1)
    assert torch.nn.functional.softsign is original
    tensorrt_converter("torch.nn.functional.tanh", enabled=False)(convert)
    assert list(converters._converters) == ["torch.nn.functional.softsign"]
    assert copy.copy(converters._converters)["torch.nn.functional.softsign"] is convert
