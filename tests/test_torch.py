"""PyTorch modules: burnish.compile gives what eager gives, in the same structure, from a file too."""

import copy
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
pytest.importorskip("onnxscript", reason="PyTorch's ONNX exporter needs onnxscript, which is not installed")

import burnish  # noqa: E402

NO_TUNING: dict[str, Any] = {"device": "cpu", "tune": "model", "tuning_cache": "none"}


class Net(torch.nn.Module):
    """Convolutions, a norm and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.head = torch.nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.stem(x))).mean((2, 3)))


class Nested(torch.nn.Module):
    """Every structure of arguments and results."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x: Any, parts: Any, scale: float = 1.0, *, mask: Any = None, unused: bool = False, **more: Any) -> Any:
        y = (self.linear(x) + parts["a"] * parts["b"][0]) * scale
        if mask is not None:
            y = torch.where(mask, y, 0)
        for extra in more.values():
            y = y + extra
        return {"y": y, "pair": (x, [None, y.shape[0], "text", 2.5]), "again": y, "ids": y.argmax(-1), "positive": y > 0}


def seeded(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """In evaluation mode, with weights and running statistics that nothing hides behind."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) + 0.5 if "var" in name else torch.randn_like(tensor) * 0.5)
    return module.eval()


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def net() -> tuple[torch.nn.Module, burnish.Module]:
    module = seeded(Net())
    batch = torch.export.Dim("batch", min=1, max=16)
    fast = burnish.compile(module, (torch.rand(2, 3, 9, 7),), dynamic_shapes=({0: batch},), **NO_TUNING)
    return module, fast


def test_it_gives_what_eager_gives(net: tuple[torch.nn.Module, Any]) -> None:
    module, fast = net
    for n in (1, 2, 5, 16):
        x = torch.rand(n, 3, 9, 7)
        with torch.no_grad():
            close(fast(x), module(x))
            close(fast(x=x), module(x))
            close(fast(x.transpose(2, 3).contiguous().transpose(2, 3)), module(x))  # strides of another layout
    assert fast.inputs == (burnish.Io("x", "float32", (fast.inputs[0].shape[0], 3, 9, 7)),)


def test_nested_arguments_and_results() -> None:
    module = seeded(Nested(), 1)
    x, a, b, mask, more = torch.rand(6, 4), torch.rand(6, 3), torch.rand(3), torch.rand(6, 3) > 0.5, torch.rand(3)
    kwargs = {"mask": mask, "bias": more}
    fast = burnish.compile(module, (x, {"a": a, "b": [b]}, 0.5), example_kwargs=kwargs, **NO_TUNING)
    with torch.no_grad():
        expected = module(x, {"a": a, "b": [b]}, 0.5, **kwargs)
        for got in (fast(x, {"a": a, "b": [b]}, 0.5, **kwargs), fast(x=x, scale=0.5, bias=more, parts={"a": a, "b": [b]}, mask=mask, unused=False)):
            assert list(got) == list(expected)
            for name in ("y", "again", "ids", "positive"):
                close(got[name], expected[name])
            assert got["again"] is got["y"] and got["pair"][0] is x and got["pair"][1] == [None, 6, "text", 2.5]
            assert isinstance(got["pair"], tuple)


def test_dynamic_sizes_come_back_as_numbers() -> None:
    module = seeded(Nested(), 2)
    n = torch.export.Dim("n", max=100)
    shapes = {"x": {0: n}, "parts": {"a": {0: n}, "b": [None]}}
    fast = burnish.compile(module, (torch.rand(6, 4), {"a": torch.rand(6, 3), "b": [torch.rand(3)]}), dynamic_shapes=shapes, **NO_TUNING)
    for size in (1, 6, 31):
        args = torch.rand(size, 4), {"a": torch.rand(size, 3), "b": [torch.rand(3)]}
        with torch.no_grad():
            got, expected = fast(*args), module(*args)
        close(got["y"], expected["y"])
        assert got["pair"][1][1] == size and type(got["pair"][1][1]) is int
    with pytest.raises(burnish.Error, match="x.*101"):
        fast(torch.rand(101, 4), {"a": torch.rand(101, 3), "b": [torch.rand(3)]})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.int8, torch.uint8, torch.bool], ids=str)
def test_element_types(dtype: torch.dtype) -> None:
    class Flip(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(7, 3).transpose(0, 1)

    x = (torch.rand(3, 7) * 100).to(dtype)
    y = burnish.compile(Flip().eval(), x, **NO_TUNING)(x)
    assert y.dtype == dtype and torch.equal(y, Flip()(x))


def test_one_example_may_stand_for_two_arguments() -> None:
    class Difference(torch.nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x - 2 * y

    x, y = torch.rand(5), torch.rand(5)
    close(burnish.compile(Difference().eval(), (x, x), **NO_TUNING)(x, y), x - 2 * y)


def test_results_are_kept_and_arguments_are_left_alone(net: tuple[torch.nn.Module, Any]) -> None:
    module, fast = net
    inputs = [torch.rand(2, 3, 9, 7) for _ in range(4)]
    before = [x.clone() for x in inputs]
    with torch.no_grad():
        results = [fast(x) for x in inputs]
        for x, copied, result in zip(inputs, before, results, strict=True):
            assert torch.equal(x, copied)
            close(result, module(x))


def test_out_is_written_into(net: tuple[torch.nn.Module, Any]) -> None:
    module, fast = net
    x, out = torch.rand(2, 3, 9, 7), torch.zeros(2, 5)
    with torch.no_grad():
        assert fast(x, out=out) is out
        close(out, module(x))
    for wrong in (torch.zeros(3, 5), torch.zeros(5, 2).T, torch.zeros(2, 5, dtype=torch.float64), (out,)):
        with pytest.raises(burnish.Error, match="output|out"):
            fast(x, out=wrong)


def test_training_and_gradients_are_refused(net: tuple[torch.nn.Module, Any]) -> None:
    module, fast = net
    training = seeded(Net())
    training.norm.train()
    with pytest.raises(burnish.Error, match=r"'norm'.*training.*eval\(\)"):
        burnish.compile(training, (torch.rand(1, 3, 9, 7),), **NO_TUNING)
    x = torch.rand(1, 3, 9, 7, requires_grad=True)
    with pytest.raises(burnish.Error, match="'x' requires a gradient.*detach"):
        fast(x)
    with torch.no_grad():
        close(fast(x), module(x))


def test_wrong_calls_are_named() -> None:
    module = seeded(Nested(), 3)
    args = torch.rand(2, 4), {"a": torch.rand(2, 3), "b": [torch.rand(3)]}, 0.5
    fast = burnish.compile(module, args, **NO_TUNING)
    x, parts, _ = args
    for call, words in [
        (lambda: fast(x), "'parts' is missing"),
        (lambda: fast(x, parts, 0.25), "'scale'.*0.5.*0.25"),
        (lambda: fast(x, {"a": parts["a"]}, 0.5), "structure"),
        (lambda: fast(x, parts, 0.5, mask=torch.ones(2, 3) > 0), "'mask' was not among"),
        (lambda: fast(x, parts, 0.5, x=x), "two values.*'x'"),
        (lambda: fast(x, {"a": parts["a"], "b": [3]}, 0.5), "'parts.b.0'.*int"),
        (lambda: fast(x.double(), parts, 0.5), "'x'.*f32.*f64"),
        (lambda: fast(torch.rand(3, 4), parts, 0.5), "'x'.*3x4"),
    ]:
        with pytest.raises(burnish.Error, match=words):
            call()


def test_what_cannot_be_exported_is_an_error() -> None:
    class Branching(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1 if x.sum() > 0 else x - 1

    class Counting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.count += 1
            return x * self.count

    with pytest.raises(burnish.Error, match="PyTorch cannot export"):
        burnish.compile(Branching().eval(), (torch.rand(3),), **NO_TUNING)
    with pytest.raises(burnish.Error, match="changes '.*count'"):
        burnish.compile(Counting().eval(), (torch.rand(3),), **NO_TUNING)
    with pytest.raises(burnish.Error, match="no argument 'y'"):
        burnish.compile(seeded(Net()), (torch.rand(1, 3, 9, 7),), dynamic_shapes={"y": {0: torch.export.Dim("n")}}, **NO_TUNING)


def test_weights_are_a_copy() -> None:
    module = seeded(Net())
    x = torch.rand(2, 3, 9, 7)
    fast = burnish.compile(module, (x,), **NO_TUNING)
    with torch.no_grad():
        before = module(x)
        for parameter in module.parameters():
            parameter.zero_()
    close(fast(x), before)


def test_it_is_a_module_among_modules(net: tuple[torch.nn.Module, Any], tmp_path: Path) -> None:
    module, fast = net
    x = torch.rand(3, 3, 9, 7)
    with torch.no_grad():
        expected = module(x)
        whole = torch.nn.Sequential(fast, torch.nn.Softmax(-1))
        for each in (whole, copy.deepcopy(whole), pickle.loads(pickle.dumps(whole))):
            close(each(x), expected.softmax(-1))
        torch.save(fast, tmp_path / "fast.pt")
        close(torch.load(tmp_path / "fast.pt", weights_only=False)(x), expected)
    assert isinstance(fast, burnish.Module) and isinstance(fast, torch.nn.Module)
    assert not list(fast.parameters())


def test_a_saved_module_needs_none_of_the_original_code(tmp_path: Path) -> None:
    module = seeded(Nested(), 4)
    args = torch.rand(2, 4), {"a": torch.rand(2, 3), "b": [torch.rand(3)]}
    burnish.compile(module, args, **NO_TUNING).save(tmp_path / "m.burnish")
    with torch.no_grad():
        torch.save((args, module(*args)["y"]), tmp_path / "data.pt")
    code = """
import sys, torch, burnish
folder = sys.argv[1]
args, expected = torch.load(folder + "/data.pt")
result = burnish.load(folder + "/m.burnish")(*args)
torch.testing.assert_close(result["y"], expected, rtol=1e-4, atol=1e-4)
assert result["pair"][0] is args[0] and result["again"] is result["y"]
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if not path.endswith("tests"))}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment, cwd=tmp_path)


def test_threads_call_one_module(net: tuple[torch.nn.Module, Any]) -> None:
    module, fast = net
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            generator = torch.Generator().manual_seed(seed)
            for n in (1, 4, 3, 2):
                x = torch.rand(n, 3, 9, 7, generator=generator)
                with torch.no_grad():
                    close(fast(x), module(x))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=[seed]) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("leading", [(), (2,), (2, 5), (2, 5, 3)], ids=str)
def test_attention_with_any_number_of_batch_dimensions(leading: tuple[int, ...]) -> None:
    class Attend(torch.nn.Module):
        def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            attention = torch.nn.functional.scaled_dot_product_attention
            return attention(q, k, v), attention(q, k, v, attn_mask=mask)

    torch.manual_seed(7)
    heads = (*leading, 3)
    q, k, v = torch.randn(*heads, 7, 8), torch.randn(*heads, 9, 8), torch.randn(*heads, 9, 8)
    for mask in (torch.randn(7, 9), torch.randn(*leading[-1:], 1, 7, 9), torch.randn(*leading, 3, 7, 9)):
        fast = burnish.compile(Attend().eval(), (q, k, v, mask), **NO_TUNING)
        close(fast(q, k, v, mask), Attend()(q, k, v, mask))
