"""The README's commands, and its C++ and Python examples, run as they stand there.

Blocks fenced as sh, cpp or python run in the order of the page, in the repository root, with .venv and build/bin first on
the PATH. The blocks of ./demo and ./check are left out: one is the test itself, the other has its own step.
"""

import importlib.util
import os
import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
README = REPOSITORY / "README.md"
COMPILE = """
cat > build/readme.cpp <<< "$0"
${CXX:-g++} -std=c++20 -Wall -Wextra -Werror -Iinclude build/readme.cpp -Lbuild/lib -lburnish -lburnish_runtime -Wl,-rpath,build/lib -o build/readme
build/readme
"""
RUNNERS = {
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "cpp": ["bash", "-euo", "pipefail", "-c", COMPILE],
    "python": ["python", "-c"],
}


def blocks() -> list[tuple[str, str]]:
    """The README's blocks that can be run: (language, text)."""
    if not README.is_file():
        return []
    found = re.findall(r"^```(sh|cpp|python)\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    return [(language, text) for language, text in found if not re.search(r"^\./(demo|check)", text, re.MULTILINE)]


@pytest.mark.parametrize(("language", "text"), blocks(), ids=[text.splitlines()[0] for _, text in blocks()])
def test_block_runs(language: str, text: str) -> None:
    if "import torch" in text and importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed (scripts/setup.sh --peers installs it)")
    path = os.pathsep.join([str(REPOSITORY / ".venv" / "bin"), str(REPOSITORY / "build" / "bin"), os.environ["PATH"]])
    done = subprocess.run(
        [*RUNNERS[language], text], cwd=REPOSITORY, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
