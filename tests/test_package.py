"""The package as others get it: docstrings, types, and a wheel that runs by itself in a fresh environment.

The wheel takes minutes to build: BURNISH_TEST_PACKAGE=1 asks for it, and ./check --all does.
"""

import importlib.util
import inspect
import os
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import burnish

REPOSITORY = Path(__file__).resolve().parent.parent
slow = pytest.mark.skipif("BURNISH_TEST_PACKAGE" not in os.environ, reason="builds everything once more; ./check --all does")

USE = """
import burnish, numpy as np, onnx
from onnx import helper
io = [helper.make_tensor_value_info(name, 1, ["n", 3, 5, 5] if name == "x" else None) for name in "xy"]
weights = np.full((2, 3, 3, 3), 0.5, np.float32)
nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
model = helper.make_model(helper.make_graph(nodes, "g", io[:1], io[1:], [onnx.numpy_helper.from_array(weights, "w")]))
module = burnish.compile(model, shapes={"x": (2, 3, 5, 5)}, device="cpu", tune="model", tuning_cache="none")
assert (module({"x": np.ones((2, 3, 5, 5), np.float32)})["y"] == 13.5).all()
print(burnish.__file__)
print(next(line.split()[-1] for line in open("/proc/self/maps") if "libdnnl" in line))
"""

#: What a user may write, and what mypy must find wrong in it.
TYPED = """
import numpy
import burnish

model: burnish.Module = burnish.compile("model.onnx", shapes={"x": (1, 3)}, precision=["fp16"], device="cpu")
outputs = model({"x": numpy.zeros((1, 3), numpy.float32)})
model.save("model.burnish")
names: list[str] = [io.name for io in burnish.load("model.burnish", threads=2).inputs]
memory: int = sum(device.memory_bytes for device in burnish.devices())
"""
MISTYPED = {
    'burnish.compile("model.onnx", tune="fast")': "No overload variant",
    'burnish.load("m.burnish", thread=2)': 'Unexpected keyword argument "thread"',
    'burnish.devices()[0].memory': '"Device" has no attribute "memory"',
}  # fmt: skip


def run(folder: Path, *command: str | Path) -> str:
    """What the command prints; this checkout's package and libraries are out of its sight."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LD_"))}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])  # of tools from PyPI
    environment.setdefault("CXX", "c++")  # the name that CMake takes by itself, by which ccache knows the release build
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, as pip makes it."""
    folder = tmp_path_factory.mktemp("wheel")
    run(folder, sys.executable, "-m", "pip", "wheel", REPOSITORY, "--no-deps", "--no-build-isolation", f"--wheel-dir={folder}")
    [made] = folder.glob("burnish-*.whl")
    return made


@pytest.fixture(scope="module")
def repaired(wheel: Path) -> Path:
    """That wheel with the libraries inside that other machines may lack."""
    run(wheel.parent, sys.executable, "-m", "auditwheel", "repair", wheel, "--wheel-dir=repaired")
    [made] = (wheel.parent / "repaired").glob("burnish-*.whl")
    return made


@pytest.fixture(scope="module")
def environment(repaired: Path) -> Path:
    """A fresh virtual environment with the wheel in it."""
    folder = repaired.parent.parent
    environment = folder / "environment"
    run(folder, sys.executable, "-m", "venv", environment)
    python = environment / "bin" / "python"
    run(folder, python, "-m", "pip", "install", "--no-deps", "--no-index", repaired)
    # NumPy and onnx from here, so that no network is needed; what was installed comes first.
    Path(packages_of(environment), "here.pth").write_text(sysconfig.get_path("purelib"))
    return environment


def packages_of(environment: Path) -> Path:
    [packages] = environment.glob("lib/python3.*/site-packages")
    return packages


def test_the_wheel_has_the_version_of_the_library() -> None:
    assert tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"] == burnish.__version__


def public_modules() -> list[ModuleType]:
    """The modules that users import; those for PyTorch where that is installed."""
    names = ["burnish", "burnish._burnish"]
    if importlib.util.find_spec("torch") is not None:
        names.append("burnish.torch2trt")
    return [importlib.import_module(name) for name in names]


def public_things() -> Iterator[tuple[str, object]]:
    """Every class, function, method and property that users see, with its full name."""
    for module in public_modules():
        for name in getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")]):
            thing = getattr(module, name)
            if not callable(thing) or isinstance(thing, ModuleType):
                continue
            yield f"{module.__name__}.{name}", thing
            if inspect.isclass(thing):
                for member, value in vars(thing).items():
                    documented = callable(value) or isinstance(value, property | staticmethod)
                    if documented and (not member.startswith("_") or member == "__call__"):
                        yield f"{module.__name__}.{name}.{member}", value


def test_everything_public_has_a_docstring() -> None:
    without = [name for name, thing in public_things() if not inspect.getdoc(thing)]
    assert not without


def test_a_users_script_is_type_checked(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text(TYPED)
    (tmp_path / "wrong.py").write_text("import burnish\n" + "\n".join(MISTYPED))
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "right.py", "wrong.py"],
        cwd=tmp_path, env=os.environ | {"MYPYPATH": str(Path(burnish.__file__).parent.parent)}, capture_output=True, text=True,
    )  # fmt: skip
    errors = [line for line in done.stdout.splitlines() if line.startswith(("right.py", "wrong.py")) and ": error: " in line]
    assert len(errors) == len(MISTYPED), done.stdout
    for number, (error, wrong) in enumerate(zip(errors, MISTYPED.values(), strict=True), start=2):
        assert error.startswith(f"wrong.py:{number}: ") and wrong in error


@slow
def test_the_wheel_runs_on_other_linuxes_with_onednn_inside(wheel: Path, repaired: Path) -> None:
    assert "manylinux" in repaired.name
    shown = run(wheel.parent, sys.executable, "-m", "auditwheel", "show", repaired)
    assert f'platform tag: "{repaired.stem.split("-")[-1]}"' in " ".join(shown.split())  # versions break lines elsewhere


@slow
def test_the_wheel_runs_in_a_fresh_environment(environment: Path) -> None:
    package, onednn = run(environment, environment / "bin" / "python", "-c", USE).splitlines()
    assert package.startswith(str(packages_of(environment)))
    assert onednn.startswith(str(packages_of(environment) / "burnish.libs"))


@slow
def test_the_command_comes_along(environment: Path) -> None:
    assert "cpu" in run(environment, environment / "bin" / "burnish", "devices")
    assert run(environment, environment / "bin" / "burnish", "--version").strip().endswith(burnish.__version__)


@slow
def test_mypy_sees_the_types_of_an_installed_package(environment: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(TYPED)
    python = environment / "bin" / "python"
    run(tmp_path, sys.executable, "-m", "mypy", "--strict", f"--python-executable={python}", script)
