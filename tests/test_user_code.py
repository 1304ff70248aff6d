"""Ops of the user's own in other languages: CUDA C++ with its reference, and opaque Python."""

import copy
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
pytest.importorskip("onnxscript", reason="PyTorch's ONNX exporter needs onnxscript, which is not installed")

import burnish  # noqa: E402
from burnish.torch2trt import TRTModule, torch2trt  # noqa: E402
from burnish.user_ops import converter, ops, python_op, user_op  # noqa: E402

NO_TUNING: dict[str, Any] = {"device": "cpu", "tune": "model", "tuning_cache": "none"}
GPU = any(device.name.startswith("cuda") for device in burnish.devices()) and torch.cuda.is_available()


@user_op(
    cuda="""
// x, where it is not "far" from zero \\ or else a little of it
__device__ float gate(float x) { return 1.0f / (1.0f + __expf(-beta * x)); }
__device__ float soft(float x, float y) { return x * gate(x) + (keep ? y : 0.0f); }
""",
    name="soft",
)
def soft_of(x: Any, y: Any, beta: float = 1.0, keep: bool = True) -> Any:
    """Pointwise, with two tensors and two numbers."""
    gated = x * ops.sigmoid(x * beta)
    return gated + y if keep else gated + y * 0.0


@user_op(
    cuda="""
template <class X, class Y> __device__ void row_sums(X x, Y y, Y squares) {
  const int length = x.size(1);
  for (int row = blockIdx.x; row < x.size(0); row += gridDim.x) {
    __shared__ float sums[2];
    if (threadIdx.x < 2) sums[threadIdx.x] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < length; i += blockDim.x) {
      atomicAdd(&sums[0], x.data[row * length + i]);
      atomicAdd(&sums[1], x.data[row * length + i] * x.data[row * length + i]);
    }
    __syncthreads();
    if (threadIdx.x == 0) { y.data[row] = sums[0]; squares.data[row] = sums[1]; }
    __syncthreads();
  }
}
""",
    threads=64,
)
def row_sums(x: Any) -> Any:
    """A kernel with two results."""
    return ops.reduce_sum(x, [-1], keepdims=False), ops.reduce_sum(x * x, [-1], keepdims=False)


@user_op(cuda="__device__ float wrong(float x) { return x + 1; }")
def wrong(x: Any) -> Any:
    """Its text computes something else."""
    return x * 2.0


@user_op(cuda="__device__ float broken(float x) { return x + ; }")
def broken(x: Any) -> Any:
    """Its text does not compile."""
    return x * 3.0


class Net(torch.nn.Module):
    """User ops between PyTorch's."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(6, 40)

    def forward(self, x: torch.Tensor) -> Any:
        y = self.linear(x)
        return row_sums(soft_of(y, self.linear.bias, beta=1.5))


def expected(net: Net, x: torch.Tensor) -> Any:
    y = net.linear(x)
    y = y * torch.sigmoid(1.5 * y) + net.linear.bias
    return y.sum(-1), (y * y).sum(-1)


def close(actual: Any, wanted: Any) -> None:
    torch.testing.assert_close(tuple(actual), tuple(wanted), rtol=1e-4, atol=1e-4)


def compiled(net: Net, x: torch.Tensor, **options: Any) -> Any:
    return burnish.compile(net, (x,), dynamic_shapes={"x": {0: torch.export.Dim("batch", max=64)}}, **options)


def test_the_reference_runs_where_the_text_cannot(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net, x = Net().eval(), torch.randn(5, 6)
    with torch.no_grad():
        close(net(x), expected(net, x))
        fast = compiled(net, x, **NO_TUNING)
        for rows in (5, 17, 1):
            x = torch.randn(rows, 6)
            close(fast(x), expected(net, x))
        assert "user op 'soft'" in fast.explain()
        fast.save(tmp_path / "net.burnish")
        close(burnish.load(tmp_path / "net.burnish")(x), expected(net, x))
        other = Net().eval()
        fast.refit(other.state_dict())
        close(fast(x), expected(other, x))


@pytest.mark.skipif(not GPU, reason="there is no GPU")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_gpu_runs_the_text(precision: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Net().eval().cuda()
    x = torch.randn(5, 6, device="cuda")
    log: list[str] = []
    with torch.no_grad():
        fast = compiled(net, x, precision=precision, tuning_cache="none", log=log.append)
        assert not [line for line in log if "user op" in line]
        fast.save(tmp_path / "net.burnish")
        for module in (fast, burnish.load(tmp_path / "net.burnish")):
            for rows in (5, 33):
                x = torch.randn(rows, 6, device="cuda")
                torch.testing.assert_close(tuple(module(x)), expected(net, x), rtol=2e-2, atol=2e-2)
        on_host = burnish.load(tmp_path / "net.burnish", device="cpu")
        torch.testing.assert_close(tuple(on_host(x.cpu())), expected(net.cpu(), x.cpu()), rtol=2e-2, atol=2e-2)


@pytest.mark.skipif(not GPU, reason="there is no GPU")
@pytest.mark.parametrize(("op", "factor", "reason"), [(wrong, 2, "does not compute what its reference does"), (broken, 3, "expected an expression")])
def test_gpu_refuses_a_text_that_is_wrong(op: Any, factor: float, reason: str) -> None:
    class Alone(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return op(x)

    log: list[str] = []
    x = torch.randn(5, 6, device="cuda")
    fast = burnish.compile(Alone().eval(), (x,), tuning_cache="none", log=log.append, device="cuda")
    torch.testing.assert_close(fast(x), factor * x)
    assert [line for line in log if f"user op '{op.__name__}'" in line and reason in line]


def test_mistakes_of_texts_are_named() -> None:
    def twice(x: Any) -> Any:
        return x * 2.0

    x = torch.randn(2, 3)
    with pytest.raises(burnish.UsageError, match="defines no function 'twice'"):
        user_op(twice, cuda="__device__ float other(float x) { return x; }")
    with pytest.raises(burnish.UsageError, match="give the 'name'"):
        user_op(lambda v: v, cuda="__device__ float f(float x) { return x; }")
    with pytest.raises(burnish.UsageError, match="threads=2000"):
        user_op(twice, cuda="twice", threads=2000)
    with pytest.raises(burnish.UsageError, match="there is none"):
        user_op(twice, threads=32)
    with pytest.raises(burnish.Error, match="the reference of a pointwise op gives f32"):
        user_op(lambda v: ops.reduce_sum(v, [0], keepdims=False), cuda="float total(float x)", name="total")(x)
    with pytest.raises(burnish.UsageError, match="'scale' is inf"):
        user_op(lambda v, scale: v * scale, cuda="float f(float x)", name="f")(x, float("inf"))


@python_op(like=lambda x, order: (x, x))
def ordered(x: np.ndarray[Any, Any], order: str) -> Any:
    """Opaque: it sorts, and keeps and changes what it is given."""
    if x.shape[0] == 13:
        raise ValueError("unlucky")
    kept.append(x)
    x *= 2
    along = np.sort(x, axis=-1)
    return (along if order == "up" else along[:, ::-1]), np.ascontiguousarray(x)


kept: list[Any] = []


class Sorted(torch.nn.Module):
    """Opaque Python between PyTorch's ops."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(6, 7)

    def forward(self, x: torch.Tensor) -> Any:
        first, _ = ordered(self.linear(x), "down")
        _, second = ordered(first, order="up")
        return first + second


def sorted_by_torch(net: Sorted, x: torch.Tensor) -> torch.Tensor:
    first = (2 * net.linear(x)).sort(-1, descending=True).values
    return first + 2 * first


def test_a_python_op_runs_in_this_process(tmp_path: Path) -> None:
    net, x = Sorted().eval(), torch.randn(5, 6)
    with torch.no_grad():
        torch.testing.assert_close(net(x), sorted_by_torch(net, x))
        fast = burnish.compile(net, (x,), dynamic_shapes={"x": {0: torch.export.Dim("batch", max=64)}}, **NO_TUNING)
        for rows in (5, 17):
            x = torch.randn(rows, 6)
            torch.testing.assert_close(fast(x), sorted_by_torch(net, x))
        torch.testing.assert_close(copy.deepcopy(fast)(x), sorted_by_torch(net, x))

        with pytest.raises(burnish.Error, match="function 'ordered' raised ValueError: unlucky") as raised:
            fast(torch.randn(13, 6))
        assert isinstance(raised.value.__cause__, ValueError)
        torch.testing.assert_close(fast(x), sorted_by_torch(net, x))

        for refused in (lambda: fast.save(tmp_path / "net.burnish"), lambda: pickle.dumps(fast)):
            with pytest.raises(burnish.Error, match="cannot be saved: .* calls 'ordered', a function of this process"):
                refused()
        assert not list(tmp_path.iterdir())

        other = Sorted().eval()
        fast.refit(other.state_dict())
        torch.testing.assert_close(fast(x), sorted_by_torch(other, x))

        results: dict[int, torch.Tensor] = {}
        inputs = [torch.randn(rows, 6) for rows in range(1, 9)]
        threads = [threading.Thread(target=lambda i=i: results.update({i: fast(inputs[i])})) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        for i, given in enumerate(inputs):
            torch.testing.assert_close(results[i], sorted_by_torch(other, given))


@pytest.mark.skipif(not GPU, reason="there is no GPU")
def test_gpu_calls_a_python_op_on_the_host() -> None:
    net = Sorted().eval().cuda()
    x = torch.randn(5, 6, device="cuda")
    with torch.no_grad():
        fast = burnish.compile(net, (x,), tuning_cache="none", tune="model")
        for _ in range(3):
            x = torch.randn(5, 6, device="cuda")
            torch.testing.assert_close(fast(x), sorted_by_torch(net, x), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x[:, :2], r"function 'given': result 0: it has float32 and shape 3x2, where float32 and 3x4 are declared"),
        (lambda x: x.astype(np.float64), "it has float64"),
        (lambda x: (x, x), "it gave 2 results, where 1 are declared"),
        (lambda x: None, "expected a NumPy array or one with __dlpack__, got NoneType"),
        (lambda x: torch.from_numpy(x) + 1, ""),
        (lambda x: fast_inside(x), ""),
    ],
    ids=["shape", "dtype", "count", "nothing", "torch", "burnish"],
)
def test_results_of_python_ops_are_checked(function: Any, message: str) -> None:
    def given(x: Any) -> Any:
        return function(x)

    op = python_op(like=lambda x: x)(given)

    class Alone(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return torch.relu(op(torch.neg(x)))

    x = torch.randn(3, 4)
    fast = burnish.compile(Alone().eval(), (x,), **NO_TUNING)
    if message:
        with pytest.raises(burnish.Error, match=message):
            fast(x)
    else:
        torch.testing.assert_close(fast(x), torch.relu(1 - x))


def fast_inside(x: np.ndarray[Any, Any]) -> Any:
    """A compiled module that is called within another's run."""

    class Plus(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + 1

    return burnish.compile(Plus().eval(), (torch.from_numpy(x),), **NO_TUNING)(torch.from_numpy(x))


def test_bfloat16_comes_as_an_array_that_exports_its_memory() -> None:
    @python_op(like=lambda x: x)
    def negated(x: Any) -> Any:
        assert isinstance(x, burnish.Array)
        return -torch.from_dlpack(x)

    class Alone(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return negated(x * 2)

    x = torch.randn(3, 4).bfloat16()
    torch.testing.assert_close(burnish.compile(Alone().eval(), (x,), **NO_TUNING)(x), -2 * x)


def test_a_converter_may_be_a_python_op(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burnish.converters, "_converters", {})
    converter("torch.nn.functional.softsign")(python_op(like=lambda x: x)(lambda x: x * 5))

    class Soft(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.softsign(x)

    x = torch.randn(3, 4)
    fast = torch2trt(Soft().eval(), [x])
    assert isinstance(fast, TRTModule)
    torch.testing.assert_close(fast(x), 5 * x)
    with pytest.raises(burnish.Error, match="a function of this process"):
        fast.state_dict()
