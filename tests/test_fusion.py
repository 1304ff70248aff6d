"""What optimising leaves of the transformers: kernels of one run, and what each of them is, from both exporters.

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


def burnish(*arguments: str | Path) -> str:
    """What the tool prints, without measuring candidates."""
    command: list[str | Path] = [runtimes.BURNISH, *arguments, "--device=cpu", "--tune=model", "--tuning-cache=none"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def optimised_graph(model: Path) -> str:
    """The graph as `inspect` prints it, one line for each node."""
    return burnish("inspect", model)


def kernels_of_run(model: Path, folder: Path) -> int:
    """How many kernels `bench` counts in one run."""
    report = folder / "bench.json"
    burnish("bench", model, "--warmup-ms=0", "--duration-s=0", "--iterations=1", f"--json={report}")
    kernels: int = json.loads(report.read_text())["kernels"]
    return kernels


@pytest.mark.parametrize("exporter", ["dynamo", "script"])
@pytest.mark.parametrize("name", EXPECTED)
def test_transformers_fuse(name: str, exporter: str, tmp_path: Path) -> None:
    """Every attention, norm and GELU is found, and nothing else is left over."""
    model = models_folder() / "exported" / f"{name}_{exporter}" / "model.onnx"
    if not model.exists():
        pytest.skip(f"{model} is not exported")
    kernels, attentions, norms, gelus = EXPECTED[name]
    assert kernels_of_run(model, tmp_path) <= kernels
    graph = optimised_graph(model)
    found = {op: len(re.findall(rf" = {op}\(", graph)) for op in ("attention", "layer_norm", "gelu")}
    assert found == {"attention": attentions, "layer_norm": norms, "gelu": gelus}
