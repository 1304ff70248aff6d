"""timm's models, compiled through burnish.compile for the CPU, give what eager PyTorch gives, within 1e-3 relative L2.

Each runs in a process of its own (scripts/timm_models.py). A few of them by default; all of tests/timm_models.txt with
BURNISH_TEST_TIMM=1, as ./check --all sets it.
"""

import os
import sys
from pathlib import Path

import pytest

for package in ("timm", "onnxscript"):
    pytest.importorskip(package, reason=f"{package} is not installed (scripts/setup.sh --peers installs it)")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import timm_models  # noqa: E402

#: Convolutions alone, attention whose biases are looked up, squeeze-and-excite, and both kinds in one network.
QUICK = ("repghostnet_050", "levit_128", "ghostnet_050", "mobilevit_s")
NAMES = timm_models.listed() if os.environ.get("BURNISH_TEST_TIMM") else QUICK


@pytest.mark.parametrize("name", NAMES)
def test_it_gives_what_eager_gives(name: str) -> None:
    result = timm_models.run(name)
    assert "reason" not in result, f"{name}: {result['reason']}"


def test_the_list_is_of_60_different_models() -> None:
    names = timm_models.listed()
    assert len(names) == len(set(names)) == timm_models.LENGTH
    assert set(QUICK) <= set(names)
