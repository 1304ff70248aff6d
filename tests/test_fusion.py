"""What optimising leaves of networks: kernels of one run, what each of them is, and its memory, from both exporters.

The models are those of scripts/export_models.py; without them the tests are skipped.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / folder) for folder in ("scripts", "bench")]

import runtimes  # noqa: E402
from fetch_models import models_folder  # noqa: E402

# Kernels of a run at most, attentions, layer norms and GELUs. A layer of an encoder takes seven: Q, K and V, attention,
# projection with residual, norm, first product with GELU, second with residual, norm; before the first the embedding
# with its norm, behind the last the pooler.
EXPECTED = {"bert_base": (12 * 7 + 2, 12, 25, 12), "minilm": (6 * 7 + 2, 6, 13, 6), "vit_b_16": (91, 12, 25, 12)}
# Kernels of a run at most, and bytes of values at most. ResNet-50: 53 convolutions, two poolings and the product at the end;
# the largest set of its live values is 5.22 MB, of MobileNetV2's (52 convolutions, mean, product) 6.02 MB.
CONVOLUTIONAL = {"resnet50": (56, 5_300_000), "mobilenet_v2": (54, 6_100_000)}


def burnish(*arguments: str | Path, tune: str = "model") -> str:
    """What the tool prints, without measuring candidates if not told to."""
    command: list[str | Path] = [runtimes.BURNISH, *arguments, "--device=cpu", f"--tune={tune}", "--tuning-cache=none"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def optimised_graph(model: Path) -> str:
    """The graph as `inspect` prints it, one line for each node."""
    return burnish("inspect", model)


def report_of_run(model: Path, folder: Path, tune: str = "model") -> dict[str, int]:
    """What `bench` counts in one run."""
    report = folder / "bench.json"
    burnish("bench", model, "--warmup-ms=0", "--duration-s=0", "--iterations=1", f"--json={report}", tune=tune)
    counts: dict[str, int] = json.loads(report.read_text())
    return counts


@pytest.mark.parametrize("exporter", ["dynamo", "script"])
@pytest.mark.parametrize("name", EXPECTED)
def test_transformers_fuse(name: str, exporter: str, tmp_path: Path) -> None:
    """Every attention, norm and GELU is found, and nothing else is left over."""
    model = models_folder() / "exported" / f"{name}_{exporter}" / "model.onnx"
    if not model.exists():
        pytest.skip(f"{model} is not exported")
    kernels, attentions, norms, gelus = EXPECTED[name]
    assert report_of_run(model, tmp_path)["kernels"] <= kernels
    graph = optimised_graph(model)
    found = {op: len(re.findall(rf" = {op}\(", graph)) for op in ("attention", "layer_norm", "gelu")}
    assert found == {"attention": attentions, "layer_norm": norms, "gelu": gelus}


@pytest.mark.parametrize("batch", [1, 3])
def test_an_encoder_of_any_length_has_the_kernels_of_one_of_fixed_length(batch: int, tmp_path: Path) -> None:
    """But for the slice of the position embedding: masks, positions and token types leave no arithmetic behind, with the
    batch known or open."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed (scripts/setup.sh --peers installs it)")
    transformers = pytest.importorskip("transformers", reason="the package transformers is not installed")
    import export_models
    import sound_weights

    config = transformers.BertConfig(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=80)
    module = sound_weights.TextModel(transformers.BertModel(config)).eval()
    model = export_models.text(lambda: module, real_weights=False)
    with torch.no_grad():
        export_models.export(model, module, "dynamo", True, tmp_path / "model.onnx")

    def kernels(*shapes: str) -> dict[str, int]:
        report = tmp_path / "bench.json"
        options = [f"--{kind}shape={name}={shape}" for name in model.input_names for kind, shape in (each.split("=") for each in shapes)]
        burnish("bench", tmp_path / "model.onnx", "--warmup-ms=0", "--duration-s=0", "--iterations=1", f"--json={report}", *options)
        counts: dict[str, int] = json.loads(report.read_text())
        return counts

    fixed, of_any = kernels(f"={batch}x40"), kernels("min-=1x8", f"opt-={batch}x40", f"max-={batch}x512")
    assert of_any["kernels"] <= fixed["kernels"] + 1
    assert of_any["fallback_kernels"] <= fixed["fallback_kernels"]


@pytest.mark.parametrize(
    ("name", "exporter", "tune"),
    [(name, exporter, "model") for name in CONVOLUTIONAL for exporter in ("dynamo", "script")]
    + [("resnet50", "dynamo", "measure")],
)
def test_convolutional_networks_fuse(name: str, exporter: str, tune: str, tmp_path: Path) -> None:
    """One kernel for each convolution with all that surrounds it, no change of layout, and memory near its bound."""
    model = models_folder() / "exported" / f"{name}_{exporter}" / "model.onnx"
    if not model.exists():
        pytest.skip(f"{model} is not exported")
    kernels, bytes_of_values = CONVOLUTIONAL[name]
    counts = report_of_run(model, tmp_path, tune)
    assert counts["kernels"] <= kernels
    assert counts["arena_values_bytes"] <= bytes_of_values
    assert counts["arena_bytes"] <= 1.05 * counts["arena_lower_bound_bytes"]
