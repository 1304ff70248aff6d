"""Transformers of Hugging Face: what burnish.compile and torch.compile(backend="burnish") give agrees with eager.

Small random configurations of the real architectures, each called with several batches and lengths, one of them with
a graph break in the middle. Prints a table: the largest relative L2 of each, and how many graphs torch.compile made.
"""

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
pytest.importorskip("onnxscript", reason="PyTorch's ONNX exporter needs onnxscript, which is not installed")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers", reason="the package transformers is not installed")

import burnish  # noqa: E402
from burnish.report import called_graphs  # noqa: E402

OPTIONS: dict[str, Any] = {"device": "cpu", "tune": "model", "tuning_cache": "none"}

#: FP32 with other orders of summation, through two layers: eager's own error against FP64 is of the size of 1e-6.
TOLERANCE = 1e-4

WIDTH, LAYERS, HEADS, WORDS = 48, 2, 4, 101
TEXT = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": 96, "vocab_size": WORDS}
IMAGE = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": 96, "image_size": 24, "patch_size": 8}

Inputs = Callable[[int, int], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """An architecture: how it is made, its inputs of a batch and a length, and where to break its graph."""

    make: Callable[[], Any]
    inputs: Inputs
    middle: str  #: the submodule that is made to break the graph
    dynamic: Mapping[str, tuple[str, ...]]  #: by input, the names of its dimensions; "" for a fixed one


def text(batch: int, length: int) -> dict[str, Any]:
    """Tokens, and a mask under which each sequence but the first ends early."""
    ids = torch.randint(2, WORDS, (batch, length))
    lengths = torch.randint(1, length + 1, (batch, 1))
    lengths[0] = length
    return {"input_ids": ids, "attention_mask": (torch.arange(length) < lengths).long()}


def pixels(batch: int, _: int) -> dict[str, Any]:
    return {"pixel_values": torch.randn(batch, 3, 24, 24)}


def without_cache(batch: int, length: int) -> dict[str, Any]:
    return text(batch, length) | {"use_cache": False}


def bert() -> Any:
    return transformers.BertModel(transformers.BertConfig(**TEXT))


def distilbert() -> Any:
    return transformers.DistilBertModel(transformers.DistilBertConfig(dim=WIDTH, n_layers=LAYERS, n_heads=HEADS, hidden_dim=96, vocab_size=WORDS))


def roberta() -> Any:
    return transformers.RobertaModel(transformers.RobertaConfig(**TEXT))


def vit() -> Any:
    return transformers.ViTModel(transformers.ViTConfig(**IMAGE))


def whisper() -> Any:
    config = transformers.WhisperConfig(
        d_model=WIDTH, encoder_layers=LAYERS, encoder_attention_heads=HEADS, encoder_ffn_dim=96, decoder_layers=1, decoder_attention_heads=HEADS,
        num_mel_bins=20, max_source_positions=30,
    )  # fmt: skip
    return transformers.WhisperModel(config).encoder


def t5() -> Any:
    return transformers.T5EncoderModel(transformers.T5Config(d_model=WIDTH, d_kv=12, num_layers=LAYERS, num_heads=HEADS, d_ff=96, vocab_size=WORDS))


def clip() -> Any:
    config = transformers.CLIPConfig(text_config=TEXT | {"eos_token_id": 1}, vision_config=IMAGE, projection_dim=32)
    return transformers.CLIPModel(config)


def clip_inputs(batch: int, length: int) -> dict[str, Any]:
    given = text(batch, length)
    given["input_ids"][:, -1] = 1  # the end's token, whose place the text's features are taken from
    return given | pixels(batch, length)


def gpt2() -> Any:
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=64, vocab_size=WORDS))


WORDS_OF = {"input_ids": ("batch", "length"), "attention_mask": ("batch", "length")}
CASES = {
    "BERT": Case(bert, text, "encoder.layer.1", WORDS_OF),
    "DistilBERT": Case(distilbert, text, "transformer.layer.1", WORDS_OF),
    "RoBERTa": Case(roberta, text, "encoder.layer.1", WORDS_OF),
    "ViT": Case(vit, pixels, "layers.1", {"pixel_values": ("batch",)}),
    "Whisper's encoder": Case(whisper, lambda batch, _: {"input_features": torch.randn(batch, 20, 60)}, "layers.1", {"input_features": ("batch",)}),
    "T5's encoder": Case(t5, text, "encoder.block.1", WORDS_OF),
    "CLIP": Case(clip, clip_inputs, "text_model.encoder.layers.1", {"input_ids": ("batch", "length"), "attention_mask": ("batch", "length"), "pixel_values": ("images",)}),
    "GPT-2": Case(gpt2, without_cache, "transformer.h.1", WORDS_OF),
}

#: The first is what kernels are made for; others come to the same engine.
SHAPES = [(2, 11), (3, 17), (5, 6)]


def sound(module: Any) -> Any:
    """In evaluation mode, with constant weights (zero biases, norms' ones) drawn anew, so that nothing hides behind them."""
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.numel() > 1 and (parameter == parameter.flatten()[0]).all():
                parameter += 0.2 * torch.randn_like(parameter)
            elif parameter.dim() > 1:
                parameter *= 3  # scales of 0.02 would leave attention uniform
    return module.eval()


def tensors_of(result: Any) -> dict[str, Any]:
    return {name: value for name, value in result.items() if isinstance(value, torch.Tensor)}


def distance(actual: Any, expected: Any) -> float:
    """The largest relative L2 of the results' tensors."""
    ours, theirs = tensors_of(actual), tensors_of(expected)
    assert ours.keys() == theirs.keys() and theirs
    for name, tensor in theirs.items():
        assert ours[name].shape == tensor.shape and ours[name].dtype == tensor.dtype, name
    return max(float((ours[name] - tensor).norm() / tensor.norm()) for name, tensor in theirs.items())


def agrees(fast: Any, module: Any, inputs: Inputs) -> float:
    """The largest distance over all shapes; the results of two inputs must differ, else nothing is tested."""
    worst = 0.0
    with torch.no_grad():
        for batch, length in SHAPES:
            given, other = inputs(batch, length), inputs(batch, length)
            expected = module(**given)
            assert distance(module(**other), expected) > 0.02
            worst = max(worst, distance(fast(**given), expected))
    assert worst < TOLERANCE
    return worst


class Break(torch.nn.Module):
    """A module before which Dynamo's graph ends."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        torch._dynamo.graph_break()
        return self.inner(*args, **kwargs)


@pytest.fixture(scope="module")
def table() -> Iterator[dict[str, list[str]]]:
    rows: dict[str, list[str]] = {name: [] for name in CASES}
    yield rows
    print(f"\n{'':20} {'compile':>10} {'torch.compile':>14}  graphs")
    for name, cells in rows.items():
        print(f"{name:20} " + " ".join(cells))


@pytest.fixture(autouse=True)
def fresh() -> None:
    torch.manual_seed(5)
    torch.compiler.reset()


@pytest.mark.parametrize("name", CASES)
def test_compile_agrees_with_eager(name: str, table: dict[str, list[str]]) -> None:
    case = CASES[name]
    module = sound(case.make())
    example = case.inputs(*SHAPES[0])
    dims = {dim: torch.export.Dim(dim, min=1, max=40) for dims in case.dynamic.values() for dim in dims if dim}
    shapes = {key: {axis: dims[dim] for axis, dim in enumerate(case.dynamic.get(key, ())) if dim} for key in example}
    fast = burnish.compile(module, example_kwargs=example, dynamic_shapes=shapes, **OPTIONS)
    table[name].append(f"{agrees(fast, module, case.inputs):10.1e}")


@pytest.mark.parametrize("name", CASES)
def test_torch_compile_agrees_with_eager(name: str, table: dict[str, list[str]]) -> None:
    case = CASES[name]
    module = sound(case.make())
    parent, _, child = case.middle.rpartition(".")
    broken = copy.deepcopy(module)
    broken.get_submodule(parent)[int(child)] = Break(broken.get_submodule(case.middle))
    fast = torch.compile(broken, backend="burnish", options=OPTIONS, dynamic=True)
    worst = agrees(fast, module, case.inputs)
    with called_graphs() as graphs, torch.no_grad():
        fast(**case.inputs(*SHAPES[0]))
    assert len(graphs) > 1
    assert not [report.left for report in graphs if report.left]
    table[name].append(f"{worst:14.1e} {len(graphs):7}")
