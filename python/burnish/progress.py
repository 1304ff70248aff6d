"""A bar on a terminal while a build runs."""

import contextlib
import sys
from collections.abc import Callable, Iterator

Report = Callable[[float, str], object]

WIDTH = 30


def _draw(fraction: float, what: str) -> None:
    done = "#" * round(fraction * WIDTH)
    sys.stderr.write(f"\r{what:24} [{done:{WIDTH}}] {100 * fraction:3.0f}%")
    sys.stderr.flush()


@contextlib.contextmanager
def progress_bar(progress: bool | Report | None) -> Iterator[Report | None]:
    """The function to report to, if any; a bar is wiped off at the end."""
    if callable(progress):
        yield progress
    elif progress is False or (progress is None and not sys.stderr.isatty()):
        yield None
    else:
        try:
            yield _draw
        finally:
            sys.stderr.write(f"\r{'':{WIDTH + 34}}\r")
