"""What models need stays within what was promised: the arena near its bound, building within a multiple of the weights.

The limits that depend on time are checked by hand with bench/footprint and bench/widths; the ones here do not.
"""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / folder) for folder in ("scripts", "bench")]

from packaged import PACKAGED  # noqa: E402
from fetch_models import models_folder  # noqa: E402

EXPORTED = ("resnet50_dynamo", "vgg16_dynamo")  # the strictest arena, the largest weights


@pytest.mark.parametrize("name", [*PACKAGED, *EXPORTED])
def test_footprint(name: str) -> None:
    """The script itself says what breaks a limit."""
    path = PACKAGED[name].path if name in PACKAGED else models_folder() / "exported" / name / "model.onnx"
    if not path.is_file():
        pytest.skip("needs scripts/fetch_models.py or scripts/export_models.py")
    command = [sys.executable, str(REPOSITORY / "bench" / "footprint"), "--tune=model", "--passes=memory", "--fresh", name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
