"""Real models give ONNX Runtime's outputs, at every size that they declare dynamic, with no fallback kernel on the CPU.

The packaged models run beside ONNX Runtime; the exported ones (scripts/export_models.py) beside the outputs recorded
with them. Those that are not there are skipped: ./check fetches the packaged ones, ./check --all exports.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / folder) for folder in ("scripts", "bench", "tests")]

import packaged  # noqa: E402
import runtimes  # noqa: E402
from dynamic_dimensions import DYNAMIC  # noqa: E402
from exact_onnx import ExactModel  # noqa: E402
from fetch_models import models_folder  # noqa: E402

Arrays = Mapping[str, np.ndarray]

FLOAT_ERROR = 1e-4  # relative L2
INT8_ERROR = 5e-2  # relative L2
INT8_SAME_ARGMAX = 0.95
INT8_MODELS = ("title_encoder", "title_decoder")
EXPORTED = sorted(path.parent for path in (models_folder() / "exported").glob("*/export.json"))


def burnish(*arguments: str | Path) -> None:
    """Run the tool without measuring candidates; fails the test with its words."""
    command = [runtimes.BURNISH, *arguments, "--device=cpu", "--tune=model", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}"


def shape_options(option: str, arrays: Iterable[Arrays], choose: np.ufunc) -> list[str]:
    """`option` for each input: the least or the most of each dimension over some inputs."""
    every = list(arrays)
    shapes = {name: choose.reduce([a[name].shape for a in every]) for name in every[0]}
    return [f"{option}={name}={'x'.join(map(str, shape))}" for name, shape in shapes.items()]


def build(model: Path, inputs: list[Arrays], folder: Path) -> Path:
    """An engine for the range of sizes of `inputs`, tuned for the first; it must need no fallback kernel."""
    engine = folder / "model.burnish"
    options = shape_options("--opt-shape", inputs[:1], np.maximum)
    options += shape_options("--min-shape", inputs, np.minimum) + shape_options("--max-shape", inputs, np.maximum)
    burnish("build", model, "-o", engine, *options)
    opt = shape_options("--shape", inputs[:1], np.maximum)
    report = folder / "bench.json"
    burnish("bench", engine, *opt, "--warmup-ms=0", "--duration-s=0", "--iterations=1", f"--json={report}")
    assert json.loads(report.read_text())["fallback_kernels"] == 0
    return engine


def run(engine: Path, inputs: Arrays, folder: Path) -> dict[str, np.ndarray]:
    """The engine's outputs by the names of their files."""
    given = []
    for name, array in inputs.items():
        file = folder / ("in_" + runtimes.file_name(name))
        np.save(file, array)
        given.append(f"--input={name}={file}")
    outputs = folder / "outputs"
    burnish("run", engine, *given, f"--output-dir={outputs}")
    return {file.name: np.load(file) for file in outputs.glob("*.npy")}


def check(got: Mapping[str, np.ndarray], expected: Arrays, limit: float = FLOAT_ERROR) -> None:
    """Every expected output is there, of its type and shape, and near enough."""
    assert sorted(got) == sorted(map(runtimes.file_name, expected))
    for name, wanted in expected.items():
        actual = got[runtimes.file_name(name)]
        assert (actual.dtype, actual.shape) == (wanted.dtype, wanted.shape)
        error = np.linalg.norm(actual - wanted) / np.linalg.norm(wanted)
        assert error <= limit, f"{name} {wanted.shape} is off by {error:.1e} (relative L2)"


def same_argmax(got: Iterable[Arrays], expected: Iterable[Arrays]) -> float:
    """Over all places of all outputs: how often the largest entry of the last dimension is the same."""
    same = [
        (ours[name].argmax(-1) == theirs[name].argmax(-1)).ravel()
        for ours, theirs in zip(got, expected)
        for name in theirs
    ]
    return float(np.concatenate(same).mean())


def largest_error(got: Iterable[Arrays], expected: Iterable[Arrays]) -> float:
    """The largest relative L2 of any output."""
    return max(
        float(np.linalg.norm(ours[name] - theirs[name]) / np.linalg.norm(theirs[name]))
        for ours, theirs in zip(got, expected)
        for name in theirs
    )


def with_other_last_bits(path: Path, seed: int) -> bytes:
    """The model with its float weights changed by about one unit in the last place."""
    import onnx

    model, rng = onnx.load(path), np.random.default_rng(seed)
    for tensor in model.graph.initializer:
        weights = onnx.numpy_helper.to_array(tensor)
        if weights.dtype == np.float32 and weights.size > 1:
            changed = weights * (1 + 1e-7 * rng.standard_normal(weights.shape))
            tensor.CopyFrom(onnx.numpy_helper.from_array(changed.astype(np.float32), tensor.name))
    serialized: bytes = model.SerializeToString()
    return serialized


def run_packaged(model: packaged.Packaged, folder: Path) -> tuple[list[Arrays], list[Arrays], list[Arrays]]:
    """Inputs, what an engine gives for them, and what ONNX Runtime gives, all by the model's own names."""
    onnxruntime = pytest.importorskip("onnxruntime")
    if not model.path.is_file():
        pytest.skip("needs scripts/fetch_models.py")
    session = onnxruntime.InferenceSession(model.path)
    names = [output.name for output in session.get_outputs()]
    inputs: list[Arrays] = [model.inputs(sizes, seed) for seed, sizes in enumerate(model.sizes)]
    engine = build(model.path, inputs, folder)
    expected: list[Arrays] = [dict(zip(names, session.run(names, arrays))) for arrays in inputs]
    got: list[Arrays] = []
    for arrays, wanted in zip(inputs, expected):
        outputs = run(engine, arrays, folder)
        check(outputs, wanted, limit=1)
        got.append({output: outputs[runtimes.file_name(output)] for output in wanted})
    return inputs, got, expected


@pytest.mark.parametrize(
    "shapes",
    [pytest.param(model.sizes, id=name) for name, model in packaged.PACKAGED.items()]
    + [pytest.param(model.shapes, id=name) for name, model in DYNAMIC.items()],
)
def test_six_shapes_are_tried_batch_1_and_the_largest_among_them(shapes: Sequence[tuple[int, ...]]) -> None:
    assert len(set(shapes)) == 6
    assert min(batch for batch, *_ in shapes) == 1
    assert tuple(map(max, zip(*shapes))) in shapes


@pytest.mark.parametrize("name", packaged.PACKAGED)
def test_packaged_model(name: str, tmp_path: Path) -> None:
    _, got, expected = run_packaged(packaged.PACKAGED[name], tmp_path)
    error, same = largest_error(got, expected), same_argmax(got, expected)
    print(f"off by {error:.1e}, same argmax {same:.1%}")
    assert error <= (INT8_ERROR if name in INT8_MODELS else FLOAT_ERROR)
    assert same >= INT8_SAME_ARGMAX or name not in INT8_MODELS


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="quantising dynamically makes an integer more or less of a float's last bit, and ONNX Runtime's bits are no nearer to "
    "the truth than Burnish's (the test below): at 16 words it is 3.1e-2 from double precision and Burnish 5e-8",
)
def test_title_decoder_on_random_words(tmp_path: Path) -> None:
    _, got, expected = run_packaged(replace(packaged.PACKAGED["title_decoder"], make=packaged.random_title_words), tmp_path)
    assert largest_error(got, expected) <= INT8_ERROR
    assert same_argmax(got, expected) >= INT8_SAME_ARGMAX


def test_title_decoder_on_random_words_is_as_near_to_double_precision_as_onnx_runtime(tmp_path: Path) -> None:
    model = replace(packaged.PACKAGED["title_decoder"], make=packaged.random_title_words)
    inputs, got, theirs = run_packaged(model, tmp_path)
    exact_model = ExactModel(model.path)
    exact: list[Arrays] = [exact_model(arrays) for arrays in inputs]
    error, same = largest_error(got, exact), same_argmax(got, exact)
    their_error, their_same = largest_error(theirs, exact), same_argmax(theirs, exact)
    words = f"off by {error:.1e}, same argmax {same:.0%}; ONNX Runtime {their_error:.1e}, {their_same:.0%}"
    print(words)
    # Which integers fall one apart is chance: a chip whose sums run in another order gets others.
    assert error <= max(INT8_ERROR, 1.5 * their_error), words
    assert same >= their_same - 0.1, words


@pytest.mark.parametrize("name", INT8_MODELS)
def test_int8_model_is_about_as_near_as_onnx_runtime_is_to_itself(name: str, tmp_path: Path) -> None:
    """Beside ONNX Runtime on the same model with other last bits in its float weights."""
    onnxruntime = pytest.importorskip("onnxruntime")
    inputs, got, expected = run_packaged(packaged.PACKAGED[name], tmp_path)
    own_error, own_same = 0.0, 1.0
    for seed in range(4):
        session = onnxruntime.InferenceSession(with_other_last_bits(packaged.PACKAGED[name].path, seed))
        other: list[Arrays] = [dict(zip(expected[0], session.run(list(expected[0]), arrays))) for arrays in inputs]
        own_error = max(own_error, largest_error(other, expected))
        own_same = min(own_same, same_argmax(other, expected))
    error, same = largest_error(got, expected), same_argmax(got, expected)
    assert error <= max(INT8_ERROR, 1.5 * own_error), f"off by {error:.1e}; ONNX Runtime from itself by {own_error:.1e}"
    assert same >= min(INT8_SAME_ARGMAX, own_same - 0.1), f"same argmax in {same:.0%}; ONNX Runtime with itself {own_same:.0%}"


@pytest.mark.skipif(not EXPORTED, reason="needs scripts/export_models.py")
@pytest.mark.parametrize("name", [path.name for path in EXPORTED])
def test_exported_model(name: str, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    folder = models_folder() / "exported" / name

    def tensors(data: Path, kind: str) -> Arrays:
        protos = [onnx.load_tensor(path) for path in sorted(data.glob(f"{kind}_*.pb"))]
        return {proto.name: onnx.numpy_helper.to_array(proto) for proto in protos}

    data_sets = sorted(folder.glob("test_data_set_*"))
    inputs = [tensors(data, "input") for data in data_sets]
    if name.endswith("_dynamic"):
        model, _exporter, _ = name.rsplit("_", 2)
        axes = list(DYNAMIC[model].dimensions)
        sizes = [[next(iter(arrays.values())).shape[axis] for axis in axes] for arrays in inputs]
        assert sizes == [list(shape[: len(axes)]) for shape in DYNAMIC[model].shapes]
    engine = build(folder / "model.onnx", inputs, tmp_path)
    for arrays, data in zip(inputs, data_sets):
        check(run(engine, arrays, tmp_path), tensors(data, "output"))
