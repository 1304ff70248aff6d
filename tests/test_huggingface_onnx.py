"""Models as transformers' own exporter writes them to ONNX, at several sizes: what eager gives, and attention found.

Small random configurations. Masks, the cache of a decoder's step, and the rows that experts get (as many as the data
say) come in this exporter's spelling.
"""

import copy
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
pytest.importorskip("onnxscript", reason="PyTorch's ONNX exporter needs onnxscript, which is not installed")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers", reason="the package transformers is not installed")
exporter_onnx = pytest.importorskip("transformers.exporters.exporter_onnx", reason="transformers has no ONNX exporter before version 5")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

import burnish  # noqa: E402
import runtimes  # noqa: E402

TOLERANCE = 1e-5  # relative L2; FP32 with other orders of summation, through two layers
WORDS = 101
SMALL: dict[str, Any] = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 80, "vocab_size": WORDS}
SIZES = [(2, 11), (3, 17), (1, 6)]  # batch and length; kernels are made for the first


@dataclass(frozen=True)
class Case:
    """An architecture, its inputs of a batch and a length, and how many attentions its graph has."""

    make: Callable[[], Any]
    inputs: Callable[[Any, int, int], dict[str, Any]]
    attentions: int
    gone: tuple[str, ...] = ()  #: ops of which nothing is left


def text(_: Any, batch: int, length: int) -> dict[str, Any]:
    lengths = torch.randint(length // 2, length + 1, (batch, 1))
    lengths[0] = length
    return {"input_ids": torch.randint(3, WORDS, (batch, length)), "attention_mask": (torch.arange(length) < lengths).long()}


def step(model: Any, batch: int, length: int) -> dict[str, Any]:
    """The next word, and what was kept of those before it."""
    before = text(model, batch, length)
    with torch.no_grad():
        cache = model(**before, use_cache=True).past_key_values
    mask = torch.cat([before["attention_mask"], torch.ones(batch, 1).long()], 1)
    return {"input_ids": torch.randint(3, WORDS, (batch, 1)), "attention_mask": mask, "past_key_values": cache, "use_cache": True}


def bert() -> Any:
    return transformers.BertModel(transformers.BertConfig(**SMALL))


def llama() -> Any:
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL, num_key_value_heads=2))


def qwen2_moe() -> Any:
    config = transformers.Qwen2MoeConfig(
        **SMALL, num_key_value_heads=2, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=40, shared_expert_intermediate_size=40, use_cache=False
    )
    return transformers.Qwen2MoeForCausalLM(config)


def conformer() -> Any:
    config = transformers.Wav2Vec2ConformerConfig(
        **SMALL, conv_dim=[16, 16], conv_stride=[5, 4], conv_kernel=[10, 4], num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4, conv_depthwise_kernel_size=5
    )
    return transformers.Wav2Vec2ConformerModel(config)


CASES = {
    "BERT": Case(bert, text, 2, ("where", "reduce_sum", "softmax")),
    "Llama's step": Case(llama, step, 2, ("where", "reduce_sum", "softmax")),
    "Qwen2's experts": Case(qwen2_moe, text, 2),
    "Wav2Vec2-Conformer": Case(conformer, lambda _, batch, length: {"input_values": torch.randn(batch, 40 * length)}, 0),
}


def sound(module: Any) -> Any:
    """In evaluation mode, with weights that nothing hides behind."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.5 if parameter.shape[0] == WORDS else float(parameter[0].numel()) ** -0.5)
            elif parameter.numel() > 1:
                parameter += 0.2 * torch.randn_like(parameter)
    return module.eval()


def flat(result: Any) -> list[np.ndarray]:
    """The tensors of a model's result, those of its cache last."""
    cache = result.get("past_key_values")
    tensors = [value for name, value in result.items() if name != "past_key_values"]
    tensors += [tensor for layer in (cache.layers if cache else []) for tensor in (layer.keys, layer.values)]
    return [tensor.numpy() for tensor in tensors]


def range_of(arrays: Sequence[Mapping[str, np.ndarray]], choose: Any) -> dict[str, tuple[int, ...]]:
    return {name: tuple(choose([given[name].shape for given in arrays], axis=0).tolist()) for name in arrays[0]}


@pytest.mark.parametrize("name", CASES)
def test_it_gives_what_eager_gives(name: str, tmp_path: Path) -> None:
    import onnx_ir
    from transformers.exporters.utils import onnx_inputs

    torch.manual_seed(5)
    case = CASES[name]
    model = sound(case.make())
    calls = [case.inputs(model, *sizes) for sizes in SIZES]
    exported = exporter_onnx.OnnxExporter().export(copy.deepcopy(model), copy.deepcopy(calls[0]), exporter_onnx.OnnxConfig(dynamic=True))
    path = tmp_path / "model.onnx"
    onnx_ir.save(exported.program, str(path))
    names = [value.name for value in exported.program.graph.inputs]
    given = [{key: tensor.numpy() for key, tensor in onnx_inputs(names, copy.deepcopy(call)).items()} for call in calls]
    fast = burnish.compile(
        str(path), min_shapes=range_of(given, np.min), opt_shapes=range_of(given[:1], np.min), max_shapes=range_of(given, np.max),
        device="cpu", tune="model", tuning_cache="none",
    )  # fmt: skip
    fast.save(tmp_path / "model.burnish")
    graph = subprocess.run([runtimes.BURNISH, "inspect", tmp_path / "model.burnish"], capture_output=True, text=True, check=True).stdout
    assert len(re.findall(r" = attention\(", graph)) == case.attentions
    assert not [op for op in case.gone if f" = {op}(" in graph]
    for call, arrays in zip(calls, given, strict=True):
        with torch.no_grad():
            expected = flat(model(**copy.deepcopy(call)))
        for ours, theirs in zip(fast(arrays).values(), expected, strict=True):
            assert ours.shape == theirs.shape
            assert np.linalg.norm(ours - theirs) <= TOLERANCE * np.linalg.norm(theirs)
