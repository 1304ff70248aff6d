"""The commands and examples of the README, the tutorial, the page for newcomers and that of ops of one's own, run as they stand.

Blocks fenced as sh, cpp or python run in the order of the page, in the repository root, with this Python and build/bin
first on the PATH. One whose first line is a comment with a path in build/ is put into that file instead; so is any
block of cmake. The blocks of ./demo and ./check are left out: each has its own test.
"""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
LANGUAGES = ("sh", "cpp", "python", "cmake")
#: The C++ of docs/extending.md is files of examples/, which tests/docs build.
PAGES = {"README.md": LANGUAGES, "docs/tutorial.md": LANGUAGES, "docs/migrating.md": LANGUAGES, "docs/extending.md": ("python",)}
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


def blocks() -> Iterator[tuple[str, str, str, bool]]:
    """The pages' blocks: (page, language, text, whether it needs PyTorch)."""
    for page, languages in PAGES.items():
        content = (REPOSITORY / page).read_text()
        found = re.findall(r"^```(sh|cpp|python|cmake)\n(.*?)^```$", content, re.MULTILINE | re.DOTALL)
        for language, text in found:
            if language in languages and not re.search(r"^\./(demo|check)", text, re.MULTILINE):
                # The blocks of a tutorial stand on each other.
                yield page, language, text, "import torch" in (content if page == "docs/tutorial.md" else text)


def name_of(page: str, text: str) -> str:
    """By its first line that is no import."""
    lines = [line for line in text.splitlines() if line and not line.startswith(("import ", "from "))]
    return f"{Path(page).stem}: {(lines or text.splitlines())[0]}"


@pytest.mark.parametrize(("page", "language", "text", "torch"), list(blocks()), ids=[name_of(page, text) for page, _, text, _ in blocks()])
def test_block_runs(page: str, language: str, text: str, torch: bool) -> None:
    if torch and importlib.util.find_spec("torch") is None:
        pytest.skip("PyTorch is not installed (scripts/setup.sh --peers installs it)")
    file = re.match(r"(?://|#) (build/\S+)\n", text)
    if file:
        path = REPOSITORY / file[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return
    folders = os.pathsep.join([str(Path(sys.executable).parent), str(REPOSITORY / "build" / "bin"), os.environ["PATH"]])
    done = subprocess.run([*RUNNERS[language], text], cwd=REPOSITORY, env=os.environ | {"PATH": folders}, capture_output=True, text=True)
    assert done.returncode == 0, f"{page}\n{text}\n{done.stdout}\n{done.stderr}"
