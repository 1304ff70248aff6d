"""./test.sh's program: rows with numbers, a row with its reason, going on where it was stopped, and a chart that parses."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

for package in ("torchvision", "timm", "onnxscript"):
    pytest.importorskip(package, reason=f"{package} is not installed (scripts/setup.sh --peers installs it)")

TABLE = Path(__file__).resolve().parent.parent / "bench" / "torch_table"
sys.path.insert(0, str(TABLE))

import report  # noqa: E402
import subjects  # noqa: E402
import torch  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"


def row(name: str, pytorch: float, ours: float, theirs: float | None = None) -> dict[str, Any]:
    """A row of that many calls a second."""
    ways = {"pytorch": pytorch, "burnish": ours} | ({} if theirs is None else {"torch.compile": theirs})
    return {"name": name} | {way: {"throughput": rate, "latency_ms": 1000 / rate} for way, rate in ways.items()}


def state(*rows: dict[str, Any]) -> dict[str, Any]:
    facts = {"device": "cpu", "precision": "fp32", "calls": 50, "chip": "Chip <A&B>", "threads": 2, "date": "2026-01-01"}
    return facts | {"versions": {"torch": "9"}, "rows": list(rows)}


@pytest.mark.parametrize("name", ["alexnet", "fcn_resnet50"])
def test_subjects_are_in_eval_mode(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects.sound_weights, "image_model", lambda _: torch.nn.Identity().eval())
    assert not any(module.training for module in subjects.make(name).modules())


def test_means_are_geometric_and_of_groups() -> None:
    rows = [row("alexnet", 10, 20, 10), row("vgg11", 10, 80), row("mnasnet0_5", 5, 15, 10)]
    lines = report.means(rows)
    assert "torch2trt's table: Burnish 4.00x (2 of 2 models), torch.compile 1.00x (1 of 2 models)" in lines[0]
    assert "other lists: Burnish 3.00x (1 of 1 models), torch.compile 2.00x" in lines[1]
    assert f"all: Burnish {(2 * 8 * 3) ** (1 / 3):.2f}x (3 of 3 models)" in lines[2]


def test_the_page_has_every_row_and_reason() -> None:
    failed = {"name": "vgg13", "failed": {"burnish": "Error: no", "torch.compile": "took more than 600 s"}}
    page = report.markdown(state(row("alexnet", 10, 25, 12), failed), "chart.svg")
    table = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("|")]
    assert {len(cells) for cells in table} == {len(report.HEADINGS)}
    assert [cell.strip() for cell in table[2]][-7:] == ["10", "12", "25", "100", "83.3", "40", "2.50x"]
    assert table[3][0].strip() == "vgg13" and table[3].count(" failed ") == 7
    assert "- vgg13, torch.compile: took more than 600 s" in page


def test_the_chart_has_the_fastest_first() -> None:
    tree = ElementTree.fromstring(report.svg(state(row("slow", 10, 11), row("fast", 10, 90, 20), {"name": "none"})))
    labels = [text.text for text in tree.iter(SVG + "text")]
    assert labels.index("fast") < labels.index("slow") and "none" not in labels and "9.00x" in labels
    widths = [float(bar.attrib["width"]) for bar in tree.iter(SVG + "rect") if bar.attrib["height"] == str(report.BAR) and bar.attrib["x"] == str(report.LEFT)]
    assert len(widths) == 3 and widths[0] == pytest.approx(widths[1] * 4.5, rel=1e-2) == pytest.approx(widths[2] * 90 / 11, rel=1e-2)


def start(output: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(TABLE / "table.py"), str(output), "--device=cpu", "--ways", "burnish", *options]
    environment = os.environ | {"BURNISH_CACHE": "none"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def fill(output: Path, *options: str) -> str:
    table = start(output, *options)
    words, errors = table.communicate()
    assert table.returncode == 0, errors
    return words


def test_models_are_measured_once(tmp_path: Path) -> None:
    output = tmp_path / "table.md"
    assert "no_such_model: burnish failed" in fill(output, "--calls=2", "--jobs=2", "--models", "no_such_model", "squeezenet1_1")
    first = json.loads(output.with_suffix(".json").read_text())
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".md", ".svg"]
    squeezenet, missing = first["rows"]
    assert squeezenet["relative_l2"] < 1e-4 and squeezenet["shapes"] == [[1, 3, 224, 224]] and squeezenet["burnish"]["throughput"] > 0
    assert "no_such_model" in missing["failed"]["burnish"] and "no_such_model" in output.read_text()
    fill(output, "--calls=2", "--models", "no_such_model", "squeezenet1_1")
    assert json.loads(output.with_suffix(".json").read_text())["rows"] == first["rows"]
    with pytest.raises(AssertionError, match="was measured with calls 2, not 3"):
        fill(output, "--calls=3", "--models", "squeezenet1_1")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="lists processes in /proc")
def test_what_runs_ends_with_the_program(tmp_path: Path) -> None:
    output = tmp_path / "table.md"
    table = start(output, "--models", "resnet18")
    assert table.stdout is not None and "resnet18: burnish ..." in table.stdout.readline()
    table.terminate()
    _, errors = table.communicate()
    assert table.returncode == 130 and "the same command goes on" in errors
    lock = str(output.with_suffix(".lock"))
    assert not [path for path in Path("/proc").glob("[0-9]*/cmdline") if lock in read(path)]
    assert not list(tmp_path.iterdir())


def read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # the process has ended
