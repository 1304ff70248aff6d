"""Which dimensions of each exported model are dynamic, at which shapes it is tested, and why not more are.

The list holds for both of PyTorch's exporters: each writes all of these dimensions. scripts/export_models.py exports by it,
tests/test_models.py holds the exports to it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dynamic:
    """The dynamic dimensions of a model's inputs."""

    dimensions: dict[int, tuple[str, int, int]]  # axis -> its name, least and most
    shapes: tuple[tuple[int, ...], ...]  # batch and sizes of the six sets of data: batch 1 and the largest of all among them
    why_not_more: str = ""  # why height and width are not dynamic


def pictures(side: int = 224, why_not_more: str = "") -> Dynamic:
    """Of a model of pictures [N,3,side,side]: batch, height and width, or batch alone where there is a reason."""
    if why_not_more:
        return Dynamic({0: ("batch", 1, 128)}, tuple((batch, side, side) for batch in (1, 2, 3, 4, 6, 8)), why_not_more)
    shapes = [(1, side, side), (2, side, side), (4, side + 96, side + 96)]
    shapes += [(1, side - 64, side), (3, side - 32, side - 64), (2, side + 32, side + 64)]
    return Dynamic({0: ("batch", 1, 128), 2: ("height", 96, 1024), 3: ("width", 96, 1024)}, tuple(shapes))


TOKENS = Dynamic(
    {0: ("batch", 1, 128), 1: ("length", 2, 512)},
    ((1, 128), (2, 64), (4, 256), (1, 16), (3, 37), (2, 128)),
)
POOLING = "its adaptive pooling to a grid of more than one cell cannot be written for unknown sizes"

DYNAMIC = {
    **{name: pictures() for name in ("resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0", "efficientnet_lite0")},
    **{name: pictures() for name in ("densenet121", "convnext_tiny", "squeezenet1_0", "googlenet")},
    "inception_v3": pictures(299),
    "vgg16": pictures(why_not_more=POOLING),
    "vit_b_16": pictures(why_not_more="its position embedding has a fixed number of patches"),
    "swin_t": pictures(why_not_more="both exporters freeze Python's choice of shifted windows at the size traced"),
    "bert_base": TOKENS,
    "minilm": TOKENS,
}
