"""Random weights with which a wrong engine shows: for architectures whose trained weights are not at hand.

Freshly initialised networks make empty tests: some end in a head of zeros, some give nearly the same output for every
input, some overflow FP16. `make_sound` draws anew what is constant and sets every BatchNorm's statistics (or, without
norms, the layers' own scales) by forward passes over smooth random images; `check_sound` refuses a network that still tests nothing. Needs PyTorch 2.11 or newer,
and torchvision for `image_model`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

BERT_VOCABULARY = 30522
LARGEST_ACTIVATION = 1e3
SMALLEST_DIFFERENCE = 0.10


@dataclass(frozen=True)
class Soundness:
    """What `check_sound` measured: the relative L2 between two inputs' outputs, and the largest FP32 activation."""

    difference: float
    largest_activation: float


def smooth_images(batch: int, height: int, width: int, seed: int) -> Tensor:
    """Random images [batch,3,height,width] of about unit scale: noise of 8x8 enlarged bicubically."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(batch, 3, 8, 8, generator=generator)
    return nn.functional.interpolate(noise, (height, width), mode="bicubic", align_corners=False)


def tokens(batch: int, length: int, vocabulary: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random token ids and an attention mask, both int64 [batch,length]; each sequence ends somewhere in its last half."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(vocabulary, (batch, length), generator=generator)
    lengths = torch.randint(length - length // 2, length + 1, (batch, 1), generator=generator)
    return ids, (torch.arange(length) < lengths).long()


def make_sound(model: nn.Module, inputs: Callable[[int], tuple[Tensor, ...]], seed: int = 0) -> nn.Module:
    """Give `model` weights that mean something, in place; returns it in eval mode.

    `inputs(i)` gives the model's i-th random inputs, from which BatchNorm's statistics are taken.
    """
    torch.manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            for parameter in module.parameters(recurse=False):
                _draw_if_constant(parameter, module)
    model.eval()
    with torch.no_grad():
        if any("Norm" in type(module).__name__ for module in model.modules()):
            _set_statistics(model, inputs)
        else:
            _standardise(model, inputs)
    return model


def _set_statistics(model: nn.Module, inputs: Callable[[int], tuple[Tensor, ...]]) -> None:
    """Set every BatchNorm's mean and variance to what forward passes show."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over all passes
        norm.train()
    for i in range(4 if norms else 0):
        model(*inputs(i))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def _standardise(model: nn.Module, inputs: Callable[[int], tuple[Tensor, ...]]) -> None:
    """In a model without norms, scale and shift what each layer gives to mean 0 and variance 1 over one forward pass."""

    def change(module: nn.Module, _: Any, output: Tensor) -> Tensor:
        over = [d for d in range(output.dim()) if d != (1 if isinstance(module, nn.Conv2d) else output.dim() - 1)]
        mean, deviation = output.mean(over), output.std(over)
        assert isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None
        module.weight /= deviation.reshape(-1, *[1] * (module.weight.dim() - 1))
        module.bias.copy_((module.bias - mean) / deviation)
        shape = [1, -1, *[1] * (output.dim() - 2)] if isinstance(module, nn.Conv2d) else [-1]
        return (output - mean.reshape(shape)) / deviation.reshape(shape)

    hooks = [m.register_forward_hook(change) for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    model(*inputs(0))
    for hook in hooks:
        hook.remove()


def _draw_if_constant(parameter: Tensor, owner: nn.Module) -> None:
    """Draw a parameter anew whose entries are all one number: biases, scales of norms, zero heads, layer scales."""
    value = parameter.flatten()[0].item()
    if not bool((parameter == value).all()):
        return
    if value == 0 and isinstance(owner, nn.modules.batchnorm._BatchNorm):
        # With a mean of 0 each ReLU cuts half of what it sees, and every layer adds to what differs between two
        # inputs, rounding included: 50 layers deep, outputs would say more of the rounding than of the input.
        parameter.normal_(0.3, 0.2)
    elif value == 0 and parameter.dim() == 2:  # a head: nn.Linear's weight
        parameter.normal_(0, parameter.shape[1] ** -0.5)
    elif 0 < value < 1e-2:  # a layer scale, such as ConvNeXt's 1e-6
        parameter.uniform_(0.05, 0.15)
    else:
        parameter.add_(torch.randn_like(parameter), alpha=0.1 if value else 0.02)


def check_sound(model: nn.Module, first: tuple[Tensor, ...], second: tuple[Tensor, ...], name: str = "") -> Soundness:
    """Run two inputs; raises ValueError where they give nearly the same output, or where an activation is too large."""
    largest = 0.0

    def look(module: nn.Module, _: Any, output: Any) -> None:
        nonlocal largest
        for tensor in flatten(output):
            if tensor.is_floating_point():
                peak = tensor.abs().max().item()
                largest = max(largest, peak) if peak == peak else float("inf")

    hooks = [module.register_forward_hook(look) for module in model.modules()]
    with torch.no_grad():
        one, other = flatten(model(*first)), flatten(model(*second))
    for hook in hooks:
        hook.remove()
    difference = min(((a - b).norm() / a.norm()).item() for a, b in zip(one, other, strict=True))
    if not difference > SMALLEST_DIFFERENCE:
        raise ValueError(f"{name}: two inputs' outputs differ by {difference:.1%} only, {SMALLEST_DIFFERENCE:.0%} is the least")
    if not largest < LARGEST_ACTIVATION:
        raise ValueError(f"{name}: an activation of {largest:.3g}; FP16 would overflow ({LARGEST_ACTIVATION:g} is the most)")
    return Soundness(difference, largest)


def flatten(output: Any) -> list[Tensor]:
    """The tensors of a module's output, in order."""
    if isinstance(output, Tensor):
        return [output]
    if isinstance(output, dict):
        return [t for value in output.values() for t in flatten(value)]
    if isinstance(output, (tuple, list)):
        return [t for value in output for t in flatten(value)]
    return []


def image_size(name: str) -> int:
    """The side, in pixels, of the square images that a torchvision model was made for."""
    return 299 if name == "inception_v3" else 224


def image_model(name: str, seed: int = 0) -> nn.Module:
    """A torchvision model, of classification or segmentation, with sound random weights, in eval mode."""
    import torchvision

    options: dict[str, Any] = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    if name.startswith(("deeplabv3", "fcn")):
        options["weights_backbone"] = None
    torch.manual_seed(seed)
    model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    size = image_size(name)
    return make_sound(model, lambda i: (smooth_images(8, size, size, seed=1000 + i),), seed)


class TextModel(nn.Module):
    """A Hugging Face encoder that takes (input_ids, attention_mask) in order, as both ONNX exporters want it."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """From int64 [batch,length] twice to the last hidden state [batch,length,width] and the pooled [batch,width]."""
        output = self.encoder(input_ids=input_ids, attention_mask=attention_mask)
        return output.last_hidden_state, output.pooler_output


def bert_base(seed: int = 0) -> TextModel:
    """BERT-base (12 layers, 768 wide) with sound random weights, in eval mode. Needs transformers."""
    import transformers

    torch.manual_seed(seed)
    model = TextModel(transformers.BertModel(transformers.BertConfig()))
    make_sound(model, lambda i: tokens(2, 128, BERT_VOCABULARY, seed=1000 + i), seed)
    return model
