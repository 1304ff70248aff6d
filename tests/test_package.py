"""`pip install .`: a wheel that runs by itself in a fresh environment. Takes minutes: BURNISH_TEST_PACKAGE=1 asks for it."""

import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import burnish

REPOSITORY = Path(__file__).resolve().parent.parent

USE = """
import burnish, numpy as np, onnx
from onnx import helper
io = [helper.make_tensor_value_info(name, 1, ["n", 3]) for name in "xy"]
model = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", io[:1], io[1:]))
module = burnish.compile(model, shapes={"x": (2, 3)}, device="cpu", tune="model", tuning_cache="none")
assert (module({"x": np.full((2, 3), -1, np.float32)})["y"] == 0).all()
print(burnish.__file__)
"""


def test_the_wheel_has_the_version_of_the_library() -> None:
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"] == burnish.__version__


@pytest.mark.skipif("BURNISH_TEST_PACKAGE" not in os.environ, reason="builds everything once more; ./check --all does")
def test_a_wheel_runs_in_a_fresh_environment(tmp_path: Path) -> None:
    def run(*command: str | Path) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LD_"))}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    run(sys.executable, "-m", "pip", "wheel", REPOSITORY, "--no-deps", "--no-build-isolation", f"--wheel-dir={tmp_path}")
    (wheel,) = tmp_path.glob("burnish-*.whl")
    environment = tmp_path / "environment"
    run(sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel)
    # NumPy and onnx from here, so that no network is needed; what was installed comes first.
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(packages, "numpy.pth").write_text(sysconfig.get_path("purelib"))
    assert run(python, "-c", USE).startswith(packages)
    assert "cpu" in run(environment / "bin" / "burnish", "devices")
    assert run(environment / "bin" / "burnish", "--version").strip()
