"""What there is to run on."""

from dataclasses import dataclass

from . import _burnish


@dataclass(frozen=True)
class Device:
    """A device that `compile` and `load` can be asked for."""

    name: str  #: what `device=` takes: "cpu", "cuda:0", "reference"
    chip: str  #: as in "NVIDIA H100 80GB HBM3"
    architecture: str  #: as in "avx512_core" or "sm_90"
    memory_bytes: int


def devices() -> list[Device]:
    """The devices that are here."""
    return [Device(*row) for row in _burnish.devices()]
