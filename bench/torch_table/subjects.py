"""The models of the table: torch2trt's lists by torchvision's names, and timm's by "timm/NAME", with sound random weights."""

from __future__ import annotations

import sys
from pathlib import Path

from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import sound_weights  # noqa: E402
import timm_models  # noqa: E402

#: The 21 models of torch2trt's table, in its order.
TABLE = (
    *("alexnet", "squeezenet1_0", "squeezenet1_1"),
    *(f"resnet{n}" for n in (18, 34, 50, 101, 152)),
    *(f"densenet{n}" for n in (121, 169, 201, 161)),
    *(f"vgg{n}" for n in (11, 13, 16, 19)),
    *(f"vgg{n}_bn" for n in (11, 13, 16, 19)),
    "mobilenet_v2",
)

#: What else torch2trt's test modules hold.
OTHERS = (
    *(f"shufflenet_v2_x{n}" for n in ("0_5", "1_0", "1_5", "2_0")),
    *(f"mnasnet{n}" for n in ("0_5", "0_75", "1_0", "1_3")),
    *(f"{head}_resnet{n}" for head in ("deeplabv3", "fcn") for n in (50, 101)),
)

TIMM = "timm/"
SIDE = 224


class Segmentation(nn.Module):
    """A torchvision segmentation model that gives its map of class scores and no dict round it, as torch2trt tests it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        """Pictures [N,3,H,W] to scores [N,21,H,W]."""
        scores: Tensor = self.model(x)["out"]
        return scores


def make(name: str) -> nn.Module:
    """The model of that name, FP32 on the CPU, in eval mode. Raises ValueError for a name that neither library knows."""
    if name.startswith(TIMM):
        return timm_models.timm_model(name.removeprefix(TIMM))
    model = sound_weights.image_model(name)
    return Segmentation(model).eval() if name in OTHERS and "_resnet" in name else model


def inputs(name: str, model: nn.Module, seed: int) -> tuple[Tensor]:
    """One smooth random picture, FP32 on the CPU: (1,3,224,224) as in torch2trt's table; timm's models have their own size."""
    if name.startswith(TIMM):
        return (timm_models.pictures(model, 1, seed),)
    return (sound_weights.smooth_images(1, SIDE, SIDE, seed),)


def timm_subjects(count: int) -> tuple[str, ...]:
    """The first `count` models of tests/timm_models.txt."""
    return tuple(TIMM + name for name in timm_models.listed()[:count])
