"""A script written for torch2trt runs after only its import changed."""

import io
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
pytest.importorskip("onnxscript", reason="PyTorch's ONNX exporter needs onnxscript, which is not installed")

import burnish  # noqa: E402
from burnish.torch2trt import TRTModule, torch2trt  # noqa: E402


@pytest.fixture(autouse=True)
def own_tuning_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BURNISH_CACHE", "none")


class Pair(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.relu(self.conv(x)), self.conv(x + y)


def check(fast: Any, *args: torch.Tensor) -> None:
    with torch.no_grad():
        torch.testing.assert_close(fast(*args), Pair().eval()(*args), rtol=1e-4, atol=1e-4)


def test_convert_run_save_and_load() -> None:
    x, y = torch.rand(1, 3, 6, 7), torch.rand(1, 3, 6, 7)
    with pytest.warns(UserWarning, match="max_workspace_size") as caught:
        fast = torch2trt(Pair().eval(), [x, y], max_workspace_size=1 << 30, max_batch_size=1)
    assert len([w for w in caught if "torch2trt" in str(w.message)]) == 1
    check(fast, x, y)
    file = io.BytesIO()
    torch.save(fast.state_dict(), file)
    file.seek(0)
    loaded = TRTModule()
    with pytest.raises(burnish.Error, match="empty"):
        loaded(x, y)
    loaded.load_state_dict(torch.load(file))
    check(loaded, x, y)
    inside = torch.nn.Sequential(TRTModule())
    with pytest.raises(RuntimeError, match="0.engine"):
        inside.load_state_dict({})


def test_ranges_of_shapes() -> None:
    x = torch.rand(2, 3, 6, 7)
    shapes = {"min_shapes": [(1, 3, 5, 7)] * 2, "opt_shapes": [(2, 3, 6, 7)] * 2, "max_shapes": [(4, 3, 12, 7)] * 2}
    fast = torch2trt(Pair().eval(), [x, x], **shapes)
    for n, h in ((1, 5), (2, 6), (4, 12)):
        check(fast, torch.rand(n, 3, h, 7), torch.rand(n, 3, h, 7))
    with pytest.raises(burnish.Error, match="5"):
        fast(torch.rand(5, 3, 6, 7), torch.rand(5, 3, 6, 7))


def test_an_example_of_one_may_stand_for_a_range() -> None:
    x, y = torch.rand(1, 3, 6, 7), torch.rand(1, 3, 6, 7)
    shapes = {"min_shapes": [(1, 3, 6, 7)] * 2, "max_shapes": [(4, 3, 6, 7)] * 2}
    for fast in (torch2trt(Pair().eval(), [x, y], **shapes), torch2trt(Pair().eval(), [x, y], opt_shapes=[(1, 3, 6, 7)] * 2, **shapes)):
        check(fast, x, y)
        check(fast, x.expand(3, -1, -1, -1), y.expand(3, -1, -1, -1))


def test_what_is_refused() -> None:
    x = torch.rand(1, 3, 6, 7)
    for arguments, words in [
        ({"int8_mode": True}, "int8_mode.*calibration"),
        ({"int8_calib_dataset": [x]}, "calibration"),
        ({"fp61_mode": True}, "no argument 'fp61_mode'"),
        ({"min_shapes": [(1, 3, 6, 7)]}, "min_shapes and max_shapes"),
    ]:
        with pytest.raises(burnish.Error, match=words):
            torch2trt(Pair().eval(), [x, x], **arguments)
