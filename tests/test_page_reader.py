"""The page reader of examples/read_page: its parts by themselves, and the whole with ONNX Runtime."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPOSITORY / "examples" / "read_page"), str(REPOSITORY / "scripts")]

import page_reader  # noqa: E402
from fetch_models import models_folder  # noqa: E402

PAGE = [
    "Region-based segmentation",
    "Let us first determine markers of the coins and the",
    "background. These markers are pixels that we can label",
    "unambiguously as either object or background. Here,",
    "the markers are found at the two extreme parts of the",
    "histogram of grey values:",
]


NETWORKS = [models_folder() / f"PP-OCRv6_{name}_small.onnx" for name in ("det", "rec")]
needs_networks = pytest.mark.skipif(not all(p.is_file() for p in NETWORKS), reason="needs scripts/fetch_models.py rapidocr scikit-image")


@needs_networks
def test_the_demo_reads_the_page_and_times_both_networks_on_every_device() -> None:
    pytest.importorskip("onnxruntime")
    command = [sys.executable, REPOSITORY / "scripts" / "demo.py", "--tune=model", "--turns=1", "--seconds=0.05"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.strip() for line in done.stdout.splitlines()]
    first = lines.index(PAGE[0])
    assert lines[first : first + len(PAGE)] == PAGE
    assert [line.split()[0] for line in lines[-2:]] == [path.stem for path in NETWORKS]


@needs_networks
def test_page_with_onnxruntime() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    detector, recogniser = (onnxruntime.InferenceSession(p) for p in NETWORKS)
    lines = page_reader.read_page(
        page_reader.enlarged(Image.open(models_folder() / "images" / "page.png")),
        lambda x: detector.run(None, {"x": x})[0],
        lambda x: recogniser.run(None, {"x": x})[0],
        page_reader.characters_of(recogniser.get_modelmeta().custom_metadata_map["character"]),
    )
    assert [line.text for line in lines[: len(PAGE)]] == PAGE
    assert all(line.confidence > 0.98 for line in lines[: len(PAGE)])


def test_components_join_diagonally_and_across_branches() -> None:
    mask = np.array(
        [
            [1, 0, 1, 0, 0, 1],
            [1, 0, 1, 0, 0, 1],
            [0, 1, 0, 0, 0, 0],
            [0, 0, 0, 0, 1, 1],
        ],
        bool,
    )
    found = page_reader.components(mask)
    sizes = sorted(sum(end - start for _, start, end in runs) for runs in found)
    assert sizes == [2, 2, 5]


def test_components_of_nothing() -> None:
    assert page_reader.components(np.zeros((4, 5), bool)) == []


@pytest.mark.parametrize("degrees", [-30, -5, 0, 12, 44])
def test_smallest_rectangle_finds_a_turned_rectangle(degrees: float) -> None:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[0, 0], [40, 0], [40, 10], [0, 10], [20, 5]]) @ turn + [7, 9]
    box = page_reader.smallest_rectangle(corners)
    assert box.width == pytest.approx(40)
    assert box.height == pytest.approx(10)
    assert box.corner == pytest.approx(corners[0])


def test_grown_box_keeps_its_centre() -> None:
    box = page_reader.smallest_rectangle(np.array([[0, 0], [8, 0], [8, 4], [0, 4]], float))
    grown = box.grown(3)
    assert (grown.width, grown.height) == pytest.approx((14, 10))
    assert grown.centre == pytest.approx(box.centre)


def test_weak_and_tiny_marks_are_no_boxes() -> None:
    probability = np.zeros((40, 60), np.float32)
    probability[5:15, 5:50] = 0.9
    probability[25:35, 5:50] = 0.4  # too faint
    probability[20, 5:50] = 0.9  # too thin
    [box] = page_reader.find_boxes(probability, (120, 80))
    assert box.centre == pytest.approx([55, 20])


def test_reading_order() -> None:
    def box(x: float, y: float) -> page_reader.Box:
        return page_reader.Box(np.array([x, y]), np.array([50.0, 0.0]), np.array([0.0, 20.0]))

    ordered = page_reader.in_reading_order([box(100, 32), box(0, 0), box(0, 35), box(100, 3)])
    assert [tuple(b.corner) for b in ordered] == [(0, 0), (100, 3), (0, 35), (100, 32)]


def test_decode_merges_repetitions_and_drops_blanks() -> None:
    characters = page_reader.characters_of("a\nb")
    assert characters == ["", "a", "b", " "]
    steps = [1, 1, 0, 1, 3, 2, 2, 0]
    assert page_reader.decode(np.eye(4)[steps], characters) == ("aa b", 1.0)
    assert page_reader.decode(np.eye(4)[[0, 0]], characters) == ("", 0.0)
