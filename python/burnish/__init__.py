"""Burnish: trained networks, optimised for the chip at hand.

    model = burnish.compile("model.onnx", shapes={"x": (1, 3, 224, 224)})
    outputs = model({"x": array})
    model.save("model.burnish")
    model = burnish.load("model.burnish")
"""

from ._burnish import Array, Error, UsageError
from ._burnish import version as __version__
from .build import compile, load
from .devices import Device, devices
from .module import Io, Module
from .report import explain

__all__ = ["Array", "Device", "Error", "Io", "Module", "UsageError", "__version__", "compile", "devices", "explain", "load"]
