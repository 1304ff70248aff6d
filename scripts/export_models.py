#!/usr/bin/env python3
"""Export PyTorch models to ONNX with both of PyTorch's exporters, each with recorded inputs and outputs.

    scripts/export_models.py                        the models that the tests read
    scripts/export_models.py resnet18 --exporters dynamo --forms static
    scripts/export_models.py --group torch2trt      torch2trt's lists: for measuring, static only
    scripts/export_models.py --list                 the models, and which dimensions of each are dynamic (dynamic_dimensions.py)

writes build/models/exported/MODEL_EXPORTER[_dynamic]/ in the layout of ONNX's backend tests: model.onnx and
test_data_set_N/{input,output}_K.pb, the outputs being ONNX Runtime's. A static model has two sets of data, a dynamic
one a set for each of six shapes. Weights are sound random ones (scripts/sound_weights.py), but for minilm and
efficientnet_lite0, which have their real ones. What is there is not exported again.

A model fails whose outputs hardly depend on the input, or whose export disagrees with PyTorch. Needs
scripts/setup.sh --peers, and scripts/fetch_models.py for the real weights.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import numpy_helper
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parent))

import sound_weights  # noqa: E402
from dynamic_dimensions import DYNAMIC, POOLING, TOKENS, Dynamic, pictures  # noqa: E402
from fetch_models import models_folder  # noqa: E402

RECIPE = 1  # raise it when what is exported changes: exports of an older recipe are made again
OPSETS = {"dynamo": 18, "script": 17}
LARGEST_ERROR = 1e-4  # relative L2 of ONNX Runtime against eager PyTorch


@dataclass(frozen=True)
class Model:
    """One model to export: how it is made, what it is fed, and which of its input's dimensions are dynamic."""

    make: Callable[[], nn.Module]
    inputs: Callable[[tuple[int, ...], int], tuple[Tensor, ...]]  # (batch and sizes, seed) -> inputs
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    shape: tuple[int, ...]  # batch and sizes of the static form
    dynamic: Dynamic  # what is dynamic in the dynamic form, and the shapes of its six sets of data
    real_weights: bool = False
    ceil_mode: bool = False  # pools rounding up: torch.export fails on sizes with a name and a range


def image(
    name: str, make: Callable[[], nn.Module] | None = None, why_not_more: str = "", **flags: bool
) -> Model:
    """A model from pictures [N,3,H,W] to one output."""
    side = sound_weights.image_size(name)
    sizes = DYNAMIC.get(name) or pictures(side, why_not_more)
    return Model(
        make or (lambda: sound_weights.image_model(name)),
        lambda shape, seed: (sound_weights.smooth_images(shape[0], shape[1], shape[2], seed),),
        ("x",),
        ("y",),
        (1, side, side),
        sizes,
        **flags,
    )


def text(make: Callable[[], nn.Module], real_weights: bool) -> Model:
    """A BERT-like encoder from (input_ids, attention_mask), both [N,L], to (last_hidden_state, pooler_output)."""
    return Model(
        make,
        lambda shape, seed: sound_weights.tokens(shape[0], shape[1], sound_weights.BERT_VOCABULARY, seed),
        ("input_ids", "attention_mask"),
        ("last_hidden_state", "pooler_output"),
        (1, 128),
        TOKENS,
        real_weights=real_weights,
    )


def minilm() -> nn.Module:
    """The sentence encoder all-MiniLM-L6-v2 with its real weights."""
    import transformers

    return sound_weights.TextModel(transformers.AutoModel.from_pretrained(models_folder() / "minilm")).eval()


def efficientnet_lite0() -> nn.Module:
    """EfficientNet-Lite0 with its real ImageNet weights."""
    from efficientnet_lite_pytorch import EfficientNet

    model: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(models_folder() / "efficientnet_lite0.pth", weights_only=True))
    return model.eval()


class Segmentation(nn.Module):
    """A torchvision segmentation model that gives its one map [N,21,H,W] and no dict round it."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model = sound_weights.image_model(name)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to class scores."""
        scores: Tensor = self.model(x)["out"]
        return scores


MODELS = {
    **{name: image(name) for name in ("resnet18", "resnet50", "mobilenet_v2", "efficientnet_b0")},
    **{name: image(name) for name in ("densenet121", "inception_v3", "convnext_tiny")},
    **{name: image(name, ceil_mode=True) for name in ("squeezenet1_0", "googlenet")},
    **{name: image(name) for name in ("vgg16", "vit_b_16", "swin_t")},
    "bert_base": text(sound_weights.bert_base, real_weights=False),
    "minilm": text(minilm, real_weights=True),
    "efficientnet_lite0": image("efficientnet_lite0", efficientnet_lite0, real_weights=True),
}
TORCH2TRT = {
    "squeezenet1_1": image("squeezenet1_1", ceil_mode=True),
    **{name: image(name) for name in ("resnet34", "resnet101", "resnet152")},
    **{f"densenet{n}": image(f"densenet{n}") for n in (169, 201, 161)},
    **{name: image(name, why_not_more=POOLING) for name in ("alexnet", "vgg11", "vgg13", "vgg19")},
    **{f"vgg{n}_bn": image(f"vgg{n}_bn", why_not_more=POOLING) for n in (11, 13, 16, 19)},
    **{f"shufflenet_v2_x{n}": image(f"shufflenet_v2_x{n}") for n in ("0_5", "1_0", "1_5", "2_0")},
    **{f"mnasnet{n}": image(f"mnasnet{n}") for n in ("0_5", "0_75", "1_0", "1_3")},
}
SEGMENTATION = ("deeplabv3_resnet50", "deeplabv3_resnet101", "fcn_resnet50", "fcn_resnet101")
TORCH2TRT |= {name: image(name, partial(Segmentation, name)) for name in SEGMENTATION}


def export(model: Model, module: nn.Module, exporter: str, dynamic: bool, path: Path) -> None:
    """Write `module` as ONNX with its weights inside."""
    example = model.inputs(model.dynamic.shapes[-1] if dynamic else model.shape, 0)
    options: dict[str, Any] = {"input_names": model.input_names, "output_names": model.output_names}
    if exporter == "dynamo":
        options |= {"external_data": False, "verbose": False}
        if dynamic:
            axes = {
                axis: torch.export.Dim.DYNAMIC if model.ceil_mode and axis else torch.export.Dim(name, min=least, max=most)
                for axis, (name, least, most) in model.dynamic.dimensions.items()
            }
            options["dynamic_shapes"] = tuple(axes for _ in example)
    elif dynamic:
        names = {axis: name for axis, (name, _, _) in model.dynamic.dimensions.items()}
        options["dynamic_axes"] = {name: names for name in model.input_names}
    torch.onnx.export(module, example, path, dynamo=exporter == "dynamo", opset_version=OPSETS[exporter], **options)


def record(model: Model, module: nn.Module, folder: Path, shapes: list[tuple[int, ...]]) -> float:
    """Run folder/model.onnx in ONNX Runtime once per shape and write what went in and came out.

    Gives the largest relative L2 against eager PyTorch.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(folder / "model.onnx", options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for number, shape in enumerate(shapes):
        data = folder / f"test_data_set_{number}"
        data.mkdir()
        inputs = model.inputs(shape, 1 + number)
        feeds = {name: tensor.numpy() for name, tensor in zip(model.input_names, inputs, strict=True)}
        outputs = session.run(model.output_names, feeds)
        with torch.no_grad():
            eager = sound_weights.flatten(module(*inputs))
        for got, expected in zip(outputs, eager, strict=True):
            largest = max(largest, float(np.linalg.norm(got - expected.numpy()) / np.linalg.norm(expected.numpy())))
        for kind, tensors in (("input", feeds), ("output", dict(zip(model.output_names, outputs, strict=True)))):
            for index, (name, array) in enumerate(tensors.items()):
                onnx.save_tensor(numpy_helper.from_array(array, name), data / f"{kind}_{index}.pb")
    return largest


def run(name: str, model: Model, exporters: list[str], forms: list[str], folder: Path) -> None:
    """Export one model in every form that is not there yet; raises ValueError or RuntimeError where one is no good."""
    made = None
    for exporter in exporters:
        for form in forms:
            target = folder / (f"{name}_{exporter}" + ("_dynamic" if form == "dynamic" else ""))
            stamp = target / "export.json"
            if stamp.is_file() and json.loads(stamp.read_text())["recipe"] == RECIPE:
                continue
            if made is None:
                module = model.make()
                made = module, sound_weights.check_sound(module, model.inputs(model.shape, 1), model.inputs(model.shape, 2), name)
            module, soundness = made
            start = time.monotonic()
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            export(model, module, exporter, form == "dynamic", target / "model.onnx")
            shapes = list(model.dynamic.shapes) if form == "dynamic" else [model.shape, model.shape]
            error = record(model, module, target, shapes)
            if not error < LARGEST_ERROR:
                raise ValueError(f"{target.name}: ONNX Runtime is off by {error:.1e} from PyTorch")
            facts = {
                "recipe": RECIPE,
                "torch": torch.__version__,
                "real_weights": model.real_weights,
                "difference": soundness.difference,
                "largest_activation": soundness.largest_activation,
                "error_against_torch": error,
            }
            stamp.write_text(json.dumps(facts, indent=1) + "\n")
            print(
                f"{target.name}: off PyTorch by {error:.1e}; two inputs differ by {soundness.difference:.0%}; "
                f"{time.monotonic() - start:.0f} s",
                flush=True,
            )


def main() -> int:
    """The command line; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="*", help="default: all of the group")
    parser.add_argument("--group", choices=["tests", "torch2trt"], default="tests")
    parser.add_argument("--exporters", nargs="+", choices=list(OPSETS), default=list(OPSETS))
    parser.add_argument("--forms", nargs="+", choices=["static", "dynamic"])
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()

    known = MODELS if arguments.group == "tests" else TORCH2TRT
    if arguments.list:
        for name, model in known.items():
            dimensions = ", ".join(dimension for dimension, _, _ in model.dynamic.dimensions.values())
            print(f"{name}: {dimensions}" + (f" ({model.dynamic.why_not_more})" if model.dynamic.why_not_more else ""))
        return 0
    unknown = [name for name in arguments.model if name not in MODELS | TORCH2TRT]
    if unknown:
        parser.error(f"no such model: {', '.join(unknown)}")
    forms = arguments.forms or (["static", "dynamic"] if arguments.group == "tests" else ["static"])

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    failures = 0
    for name in arguments.model or known:
        try:
            run(name, (MODELS | TORCH2TRT)[name], arguments.exporters, forms, models_folder() / "exported")
        except (ValueError, RuntimeError, OSError) as error:
            failures += 1
            print(f"{name}: FAILED: {error}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
