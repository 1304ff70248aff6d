"""refit: another state_dict gives what a fresh compile gives, bit for bit, without tuning again."""

import copy
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
pytest.importorskip("onnxscript", reason="PyTorch's ONNX exporter needs onnxscript, which is not installed")

import burnish  # noqa: E402

TOOL = Path(__file__).parents[1] / "build/bin/burnish"


class Net(torch.nn.Module):
    """BatchNorm behind convolutions, three products of one input, tied weights, one slope, integers that select."""

    pick: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(8)
        self.slope = torch.nn.PReLU()
        self.table = torch.nn.Embedding(20, 8)
        self.q, self.k, self.v = (torch.nn.Linear(8, 8) for _ in range(3))
        self.head = torch.nn.Linear(8, 20, bias=False)
        self.head.weight = self.table.weight
        self.register_buffer("pick", torch.tensor([3, 1, 2]))

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        tokens = self.table(ids) + self.slope(self.norm(self.stem(x))).mean((2, 3))[:, None]
        mixed = torch.softmax(self.q(tokens) @ self.k(tokens).transpose(1, 2), -1) @ self.v(tokens)
        return self.head(mixed)[..., self.pick]


INPUTS = (torch.randn(2, 3, 9, 7, generator=torch.Generator().manual_seed(1)), torch.arange(10).reshape(2, 5))


def fresh(seed: int) -> Net:
    """With the statistics that a module begins with: ones and zeros."""
    torch.manual_seed(seed)
    return Net().eval()


def trained(module: Any, seed: int = 5) -> Any:
    """A copy in which nothing is one or zero; the integers stay."""
    module = copy.deepcopy(module)
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if "var" in name else torch.randn_like(tensor) * 0.3)
    return module


def compiled(module: Any, tuning_cache: Any, inputs: Any = INPUTS) -> Any:
    return burnish.compile(module, inputs, device="cpu", tuning_cache=tuning_cache)


def test_a_refitted_module_is_a_fresh_one(tmp_path: Path) -> None:
    cache = tmp_path / "cache.txt"
    first = fresh(0)
    second = trained(first)
    fast = compiled(first, cache)
    before = fast(*INPUTS)
    untouched = copy.deepcopy(fast)
    fast.refit(second.state_dict())
    torch.testing.assert_close(fast(*INPUTS), second(*INPUTS).detach())
    assert torch.equal(fast(*INPUTS), compiled(second, cache)(*INPUTS))
    assert torch.equal(untouched(*INPUTS), before)

    fast.save(tmp_path / "net.burnish")
    loaded: Any = burnish.load(tmp_path / "net.burnish")
    assert torch.equal(loaded(*INPUTS), fast(*INPUTS))
    loaded.refit(first.state_dict())
    assert torch.equal(loaded(*INPUTS), before)


def test_what_cannot_be_taken_in_is_named(tmp_path: Path) -> None:
    net = fresh(0)
    fast = compiled(net, "none")
    before = fast(*INPUTS)
    state = trained(net).state_dict()

    def refused(words: str, **changes: Any) -> None:
        changed = {name: changes.get(name, tensor) for name, tensor in state.items()}
        with pytest.raises(burnish.Error, match=words):
            fast.refit({**changed, **{name.replace("__", "."): value for name, value in changes.items()}})
        assert torch.equal(fast(*INPUTS), before)

    with pytest.raises(burnish.Error, match="there is no 'stem.weight'"):
        fast.refit({name: tensor for name, tensor in state.items() if name != "stem.weight"})
    refused("the module has no 'more'", more=torch.zeros(1))
    refused("norm.bias': expected f32 of shape 8, got f32 of shape 9", norm__bias=torch.zeros(9))
    refused("'pick' is compiled in", pick=torch.tensor([0, 1, 2]))
    refused("shared its memory", head__weight=torch.zeros(20, 8))


def test_weights_of_a_model_by_the_names_of_its_initializers(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    numpy = pytest.importorskip("numpy")

    def model(scale: float) -> Any:
        weight = onnx.numpy_helper.from_array(numpy.arange(12, dtype=numpy.float32).reshape(4, 3) * numpy.float32(scale), "w")
        nodes = [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])]
        ios = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in (("x", [2, 4]), ("y", [2, 3]))]
        graph = onnx.helper.make_graph(nodes, "g", ios[:1], ios[1:], [weight])
        return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)

    x = numpy.ones((2, 4), numpy.float32)
    fast = burnish.compile(model(1), device="cpu", tuning_cache="none")
    fast.refit({"w": numpy.full((4, 3), 2, numpy.float32)})
    assert (fast({"x": x})["y"] == 8).all()
    with pytest.raises(burnish.Error, match="no weight 'v'"):
        fast.refit({"v": x})

    for name, scale in (("a.onnx", 1), ("b.onnx", 3)):
        onnx.save(model(scale), tmp_path / name)
    old, new = tmp_path / "a.burnish", tmp_path / "b.burnish"
    options = ["--device", "cpu", "--tuning-cache", "none", "--quiet"]
    subprocess.run([TOOL, "build", tmp_path / "a.onnx", "-o", old, *options], check=True)
    subprocess.run([TOOL, "refit", old, tmp_path / "b.onnx", "-o", new, "--quiet"], check=True)
    expected = numpy.arange(12, dtype=numpy.float32).reshape(4, 3).sum(0) * 3
    assert (burnish.load(new)({"x": x})["y"] == expected).all()


def test_resnet50_in_under_a_second(tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(0)
    first = models.resnet50(weights=None).eval()
    second = trained(first)
    inputs = (torch.randn(1, 3, 64, 64),)
    fast = burnish.compile(first, inputs, device="cpu", tuning_cache=tmp_path / "cache.txt", tune="model")
    state = second.state_dict()
    times = []
    for _ in range(2):  # a busy machine may be slow once
        start = time.perf_counter()
        fast.refit(state)
        times.append(time.perf_counter() - start)
    again = burnish.compile(second, inputs, device="cpu", tuning_cache=tmp_path / "cache.txt", tune="model")
    assert torch.equal(fast(*inputs), again(*inputs))
    assert min(times) < 1, times
