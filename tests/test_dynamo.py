"""torch.compile(backend="burnish"): whole graphs, graphs that are cut, dynamic sizes, changed weights, errors, explain."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
pytest.importorskip("onnxscript", reason="PyTorch's ONNX exporter needs onnxscript, which is not installed")

import burnish  # noqa: E402
from burnish.report import called_graphs  # noqa: E402

OPTIONS: dict[str, Any] = {"device": "cpu", "tune": "model", "tuning_cache": "none"}


class Net(torch.nn.Module):
    """Two layers and a norm, whose eps is a float among the inputs when all sizes are dynamic."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.norm, self.second = torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 3)

    def forward(self, x: Any) -> Any:
        return self.second(torch.relu(self.norm(self.first(x))))


class Spectrum(torch.nn.Module):
    """Eigenvalues, which ONNX has not, between what it has; ints in and out, and an argument among the results."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

    def forward(self, x: Any, power: int) -> Any:
        y = torch.relu(self.first(x))
        values, _ = torch.linalg.eigh(y.T @ y)
        return {"z": torch.tanh(self.second(y)) + values.sum() * power, "twice": x.shape[0] * 2, "x": x}


class Counting(torch.nn.Module):
    """Writes to a buffer of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return torch.relu(self.layer(x)) * self.calls


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


def compiled(module: Any, **more: Any) -> Any:
    return torch.compile(module, backend="burnish", options=OPTIONS, **more)


@pytest.fixture(autouse=True)
def fresh() -> None:
    torch.compiler.reset()


def test_dynamic_sizes_share_one_graph_and_engine() -> None:
    module = Net().eval()
    fast = compiled(module, dynamic=True)
    with torch.no_grad(), called_graphs() as graphs:
        for batch in (5, 2, 9, 64):
            x = torch.rand(batch, 4)
            close(fast(x), module(x))
    assert len(graphs) == 1 and len(graphs[0].pieces) == 1 and not graphs[0].left


def test_changed_weights_are_seen() -> None:
    module = Net().eval()
    fast = compiled(module)
    x = torch.rand(3, 4)
    with torch.no_grad():
        close(fast(x), module(x))
        module.first.weight.mul_(-1)
        close(fast(x), module(x))
        module.second.weight = torch.nn.Parameter(torch.rand(3, 6))
        close(fast(x), module(x))
        module.second.bias.data = torch.rand(3)
        close(fast(x), module(x))
        module.load_state_dict({name: tensor + 1 for name, tensor in module.state_dict().items()})
        close(fast(x), module(x))


def test_arguments_of_any_strides_and_with_gradients() -> None:
    module = Net().eval()
    fast = compiled(module)
    with torch.no_grad():
        for x in (torch.rand(3, 4), torch.rand(4, 3).T, torch.rand(3, 8)[:, ::2], torch.rand(3, 4, requires_grad=True)):
            close(fast(x), module(x))


def test_what_is_unsupported_stays_in_pytorch() -> None:
    module = Spectrum().eval()
    fast = compiled(module, dynamic=True)
    with torch.no_grad():
        for rows, power in ((5, 3), (6, 2), (9, 7)):
            x = torch.rand(rows, 4)
            got, expected = fast(x, power), module(x, power)
            assert got["x"] is x and got["twice"] == 2 * rows
            close(got["z"], expected["z"])
        with called_graphs() as graphs:
            fast(x, 4)
    assert [left.op for report in graphs for left in report.left] == ["aten.linalg_eigh.default"]
    assert len(graphs[0].pieces) == 2
    text = burnish.explain(fast, x, 4)
    assert "2 engines" in text and "aten.linalg_eigh.default" in text and "test_dynamo.py" in text and "kernels" in text


class Shifted(torch.nn.Module):
    """An int and a float among the inputs, with eigenvalues or without."""

    def __init__(self, cut: bool) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.layer, self.cut = torch.nn.Linear(4, 4), cut

    def forward(self, x: Any, start: int, scale: float) -> Any:
        y = torch.relu(self.layer(x)) * scale + torch.arange(start, start + 4)
        return torch.tanh(y) + torch.linalg.eigvalsh(y.T @ y).sum() if self.cut else y


@pytest.mark.parametrize("cut", [False, True])
def test_numbers_that_change(cut: bool) -> None:
    module = Shifted(cut).eval()
    fast = compiled(module, dynamic=True)
    with torch.no_grad():
        for start, scale in ((0, 0.5), (7, 0.5), (9, 0.25), (1, 0.25), (0, 0.5), (-3, 2.0)):
            x = torch.rand(3, 4)
            close(fast(x, start, scale), module(x, start, scale))


def test_buffers_that_a_module_writes_to() -> None:
    module, other = Counting().eval(), Counting().eval()
    other.load_state_dict(module.state_dict())
    fast = compiled(module)
    x = torch.rand(3, 4)
    with torch.no_grad():
        for call in range(1, 4):
            close(fast(x), other(x))
            assert module.calls == call


def test_layers_of_the_same_code_have_weights_of_their_own() -> None:
    layers = [torch.nn.Linear(4, 4) for _ in range(3)]
    fast = [compiled(layer) for layer in layers]
    x = torch.rand(2, 4)
    with torch.no_grad():
        for _ in range(2):
            for layer, each in zip(layers, fast, strict=True):
                close(each(x), layer(x))


def test_training_and_gradients_are_refused() -> None:
    with pytest.raises(Exception, match="requires a gradient"):
        compiled(Net().eval())(torch.rand(3, 4, requires_grad=True))
    torch.compiler.reset()
    with pytest.raises(Exception, match="training mode"):
        compiled(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout()))(torch.rand(3, 4))


def test_unknown_options_are_named() -> None:
    with pytest.raises(Exception, match="no option 'presicion'.*precision"):
        torch.compile(Net().eval(), backend="burnish", options={"presicion": "fp16"})(torch.rand(3, 4))


def test_no_import_is_needed() -> None:
    code = """
import torch
module = torch.nn.Linear(4, 3).eval()
fast = torch.compile(module, backend="burnish", options={"device": "cpu", "tune": "model", "tuning_cache": "none"})
x = torch.rand(2, 4)
with torch.no_grad():
    torch.testing.assert_close(fast(x), module(x), rtol=1e-4, atol=1e-4)
"""
    package = str(Path(burnish.__file__).parent.parent)
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": package})


def test_a_compiled_module_inside_a_compiled_one() -> None:
    module = Net().eval()
    x = torch.rand(3, 4)
    inner = burnish.compile(module, (x,), **OPTIONS)
    outer = torch.compile(torch.nn.Sequential(inner, torch.nn.Softmax(-1)), backend="eager")
    with torch.no_grad():
        close(outer(x), module(x).softmax(-1))
