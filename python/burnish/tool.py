"""The command `burnish` of an installed package: the tool that lies beside this file."""

import os
import sys
from pathlib import Path


def main() -> None:
    """Become the tool, with this process's arguments."""
    tool = str(Path(__file__).parent / "burnish")
    os.execv(tool, [tool, *sys.argv[1:]])
