"""Reads the text of a photographed page with the two PP-OCR networks, on any runtime.

The detector marks where text is, the recogniser spells each line. Both are plain networks, handed in as functions from
an array to an array, so that the same reader works with Burnish, ONNX Runtime or anything else. Needs NumPy and Pillow.

Sources: the networks and their pre- and post-processing are PaddleOCR's, with the constants of the package rapidocr;
boxes from the probability map after "Real-time Scene Text Detection with Differentiable Binarization" (Liao et al., 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

Network = Callable[[np.ndarray], np.ndarray]

TEXT_THRESHOLD = 0.3  # a pixel of the probability map is text above this
BOX_THRESHOLD = 0.5  # a box is kept when its pixels' mean probability is above this
UNCLIP_RATIO = 1.6  # the detector marks shrunken text; a box grows by area * ratio / perimeter
SMALLEST_SIDE = 3  # in pixels of the probability map
LINE_HEIGHT = 48  # the recogniser's input height, in pixels


@dataclass(frozen=True)
class Box:
    """A rotated rectangle in pixels: its upper left corner, and the vectors along its upper edge and its left edge."""

    corner: np.ndarray
    along: np.ndarray
    down: np.ndarray

    @property
    def width(self) -> float:
        return float(np.hypot(*self.along))

    @property
    def height(self) -> float:
        return float(np.hypot(*self.down))

    @property
    def centre(self) -> np.ndarray:
        middle: np.ndarray = self.corner + (self.along + self.down) / 2
        return middle

    def grown(self, distance: float) -> Box:
        """The box with every side moved outwards by `distance` pixels."""
        x, y = self.along / self.width * distance, self.down / self.height * distance
        return Box(self.corner - x - y, self.along + 2 * x, self.down + 2 * y)


@dataclass(frozen=True)
class Line:
    """One line of text, how sure the recogniser is of it (0 to 1), and where it stands in the picture read."""

    text: str
    confidence: float
    box: Box


def read_page(image: Image.Image, detect: Network, recognise: Network, characters: Sequence[str]) -> list[Line]:
    """The lines of text in `image`, in reading order.

    `detect` takes float32 [1,3,H,W] and gives [1,1,H,W]; `recognise` takes all lines at once, [N,3,48,W], and gives
    [N,T,C]; `characters` are the recogniser's C classes (see `characters_of`).
    """
    image = image.convert("RGB")
    boxes = in_reading_order(find_boxes(detect(detector_input(image))[0, 0], image.size))
    if not boxes:
        return []
    decoded = [decode(line, characters) for line in recognise(recogniser_input(image, boxes))]
    return [Line(text, confidence, box) for (text, confidence), box in zip(decoded, boxes) if text]


def enlarged(image: Image.Image, factor: int = 2) -> Image.Image:
    """The image enlarged bicubically: small print is read better so."""
    return image.resize((image.width * factor, image.height * factor), Image.Resampling.BICUBIC)


def detector_input(image: Image.Image) -> np.ndarray:
    """An RGB image as the detector takes it: float32 [1,3,H,W] in [-1,1], BGR, H and W the nearest multiples of 32."""
    width, height = (max(32, round(side / 32) * 32) for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(as_planes(resized)[None])


def as_planes(image: Image.Image) -> np.ndarray:
    """An RGB image as float32 [3,H,W] in [-1,1], in the order BGR."""
    pixels = np.asarray(image, np.float32)[..., ::-1]
    return np.asarray(pixels / 127.5 - 1, np.float32).transpose(2, 0, 1)


def find_boxes(probability: np.ndarray, size: tuple[int, int]) -> list[Box]:
    """The boxes of text in a probability map [H,W], scaled to a picture of `size` (width, height)."""
    boxes = []
    scale = np.array(size) / probability.shape[::-1]
    for runs in components(probability > TEXT_THRESHOLD):
        mean = np.concatenate([probability[y, start:end] for y, start, end in runs]).mean()
        corners = [(x, y + dy) for y, start, end in runs for x in (start, end) for dy in (0, 1)]
        box = smallest_rectangle(np.array(corners, float))
        if mean < BOX_THRESHOLD or min(box.width, box.height) < SMALLEST_SIDE:
            continue
        box = box.grown(box.width * box.height * UNCLIP_RATIO / (2 * (box.width + box.height)))
        boxes.append(Box(box.corner * scale, box.along * scale, box.down * scale))
    return boxes


def components(mask: np.ndarray) -> list[list[tuple[int, int, int]]]:
    """The 8-connected components of a mask [H,W], each as its runs of pixels (row, first column, column past the last)."""
    runs: list[tuple[int, int, int]] = []
    parent: list[int] = []

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = run = parent[parent[run]]
        return run

    above = range(0)
    for y, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0))
        here = range(len(runs), len(runs) + len(edges) // 2)
        for index, (start, end) in zip(here, edges.reshape(-1, 2).tolist()):
            runs.append((y, start, end))
            parent.append(index)
            for other in above:
                if runs[other][1] <= end and start <= runs[other][2]:
                    parent[root(index)] = root(other)
        above = here

    groups: dict[int, list[tuple[int, int, int]]] = {}
    for index, run in enumerate(runs):
        groups.setdefault(root(index), []).append(run)
    return list(groups.values())


def smallest_rectangle(points: np.ndarray) -> Box:
    """The rectangle of least area round points [N,2]; one of its sides lies along an edge of their convex hull."""
    hull = convex_hull(points)
    edges = np.roll(hull, -1, axis=0) - hull
    best: tuple[float, Box] | None = None
    for angle in np.unique(np.arctan2(edges[:, 1], edges[:, 0]) % (np.pi / 2)):
        if angle > np.pi / 4:
            angle -= np.pi / 2  # text runs from left to right rather than up
        along = np.array([np.cos(angle), np.sin(angle)])
        down = np.array([-along[1], along[0]])
        x, y = hull @ along, hull @ down
        box = Box(x.min() * along + y.min() * down, np.ptp(x) * along, np.ptp(y) * down)
        if best is None or box.width * box.height < best[0]:
            best = (box.width * box.height, box)
    assert best is not None, "a hull has an edge"
    return best[1]


def convex_hull(points: np.ndarray) -> np.ndarray:
    """The corners of the convex hull of points [N,2], N at least 1, in order round it (Andrew's monotone chain)."""
    ordered = sorted(set(map(tuple, points.tolist())))

    def half(points_in_order: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
        chain: list[tuple[float, ...]] = []
        for p in points_in_order:
            while len(chain) > 1 and (
                (chain[-1][0] - chain[-2][0]) * (p[1] - chain[-2][1])
                <= (chain[-1][1] - chain[-2][1]) * (p[0] - chain[-2][0])
            ):
                chain.pop()
            chain.append(p)
        return chain[:-1]

    return np.array((half(ordered) + half(ordered[::-1])) or ordered)


def in_reading_order(boxes: Sequence[Box]) -> list[Box]:
    """From top to bottom; boxes whose centres differ by less than half a line's height stand on one line, left first."""
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=lambda b: b.centre[1]):
        if rows and box.centre[1] - rows[-1][-1].centre[1] < min(box.height, rows[-1][-1].height) / 2:
            rows[-1].append(box)
        else:
            rows.append([box])
    return [box for row in rows for box in sorted(row, key=lambda b: b.centre[0])]


def recogniser_input(image: Image.Image, boxes: Sequence[Box]) -> np.ndarray:
    """What is in each box of an RGB image as the recogniser takes it: float32 [N,3,48,W] in [-1,1], BGR.

    W is the widest line's, rounded up to a multiple of 8; the others have zeros to their right.
    """
    lines = [as_planes(cut_out(image, box)) for box in boxes]
    batch = np.zeros((len(lines), 3, LINE_HEIGHT, -(-max(line.shape[2] for line in lines) // 8) * 8), np.float32)
    for row, line in zip(batch, lines):
        row[:, :, : line.shape[2]] = line
    return batch


def cut_out(image: Image.Image, box: Box) -> Image.Image:
    """What is in a box, upright and 48 pixels high."""
    width, height = max(1, round(box.width)), max(1, round(box.height))
    right, down = box.along / width, box.down / height
    crop = image.transform(
        (width, height),
        Image.Transform.AFFINE,
        (right[0], down[0], box.corner[0], right[1], down[1], box.corner[1]),
        Image.Resampling.BICUBIC,
    )
    return crop.resize((max(1, round(width * LINE_HEIGHT / height)), LINE_HEIGHT), Image.Resampling.BICUBIC)


def characters_of(metadata: str) -> list[str]:
    """The recogniser's classes from its metadata entry `character`: the blank, the entry's lines, a space."""
    return ["", *metadata.split("\n"), " "]


def decode(probabilities: np.ndarray, characters: Sequence[str]) -> tuple[str, float]:
    """The text of one line and its mean confidence, from [T,C]: greedy CTC, repetitions merged, class 0 dropped."""
    classes = probabilities.argmax(axis=1)
    kept = (classes != 0) & (classes != np.concatenate([[0], classes[:-1]]))
    if not kept.any():
        return "", 0.0
    return "".join(characters[c] for c in classes[kept]), float(probabilities.max(axis=1)[kept].mean())
