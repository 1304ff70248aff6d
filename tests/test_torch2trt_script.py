"""A script written for torch2trt runs after only its import changed, and prints what it should."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

for package in ("torch", "onnxscript"):
    pytest.importorskip(package, reason=f"{package} is not installed (scripts/setup.sh --peers installs it)")

#: In the ways of torch2trt's own documentation; runs on a GPU where there is one.
SCRIPT = """
import time

import torch
from torch2trt import torch2trt, TRTModule


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 16, 3, stride=2, padding=1), torch.nn.BatchNorm2d(16), torch.nn.ReLU(inplace=True),
            torch.nn.Conv2d(16, 32, 3, padding=1), torch.nn.ReLU(inplace=True), torch.nn.MaxPool2d(2))
        self.classifier = torch.nn.Linear(32, 10)

    def forward(self, x, scale=None):
        x = self.features(x)
        x = x.mean((2, 3)) if scale is None else x.mean((2, 3)) * scale
        return self.classifier(x)


device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
torch.manual_seed(0)
model = Net().eval().to(device)
x = torch.randn((1, 3, 32, 32)).to(device)

# convert to TensorRT feeding sample data as input
model_trt = torch2trt(model, [x], fp16_mode=device.type == 'cuda', max_workspace_size=1 << 26)
y = model(x)
y_trt = model_trt(x)
print('max error', torch.max(torch.abs(y - y_trt)).item())

t0 = time.time()
with torch.no_grad():
    for i in range(5):
        y_trt = model_trt(x)
print('fps', 5 / (time.time() - t0))

torch.save(model_trt.state_dict(), 'net_trt.pth')
loaded = TRTModule()
loaded.load_state_dict(torch.load('net_trt.pth'))
print('loaded', bool((loaded(x) == y_trt).all()))

# batches from 1 to 8, tuned for 4, and a second input
scale = torch.rand((4, 32)).to(device)
batch = torch.randn((4, 3, 32, 32)).to(device)
dynamic_trt = torch2trt(
    model, [batch, scale], input_names=['x', 'scale'], output_names=['y'],
    min_shapes=[(1, 3, 32, 32), (1, 32)], opt_shapes=[(4, 3, 32, 32), (4, 32)], max_shapes=[(8, 3, 32, 32), (8, 32)])
for n in (1, 3, 8):
    xs, scales = torch.randn((n, 3, 32, 32)).to(device), torch.rand((n, 32)).to(device)
    print('dynamic', n, torch.max(torch.abs(model(xs, scales) - dynamic_trt(xs, scales))).item())
"""


def test_only_the_import_changes(tmp_path: Path) -> None:
    burnish = importlib.util.find_spec("burnish")
    assert burnish is not None and burnish.origin is not None and SCRIPT.count("from torch2trt import") == 1
    script = tmp_path / "convert.py"
    script.write_text(SCRIPT.replace("from torch2trt import", "from burnish.torch2trt import"))
    environment = os.environ | {"BURNISH_CACHE": "none", "PYTHONPATH": str(Path(burnish.origin).parents[1])}
    done = subprocess.run([sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    *lines, = (line.split() for line in done.stdout.splitlines())
    errors = [float(words[-1]) for words in lines if words[0] in ("max", "dynamic")]
    assert len(errors) == 4 and max(errors) < 1e-2  # FP16 on a GPU
    assert ["loaded", "True"] in lines
