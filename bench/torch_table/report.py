"""The table as Markdown, and its speed-ups as a bar chart in SVG, from the state that bench/torch_table/table.py keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from statistics import geometric_mean
from typing import Any

import subjects

Row = dict[str, Any]

HEADINGS = (
    *("Name", "Data Type", "Input Shapes", "compile arguments", "Max Error", "Relative L2", "Relative L2 (PyTorch)"),
    *("Throughput (PyTorch)", "Throughput (torch.compile)", "Throughput (Burnish)"),
    *("Latency (PyTorch)", "Latency (torch.compile)", "Latency (Burnish)", "Speed-up"),
)


def speed_up(row: Row, way: str = "burnish") -> float | None:
    """Calls a second against eager PyTorch's; None where either is missing."""
    if way not in row or "pytorch" not in row:
        return None
    return float(row[way]["throughput"] / row["pytorch"]["throughput"])


def markdown(state: dict[str, Any], chart: str) -> str:
    """The whole page; `chart` is the file name of the bar chart."""
    rows = state["rows"]
    lines = [
        "# PyTorch, torch.compile and Burnish",
        "",
        f"{state['chip']}, {state['threads']} threads, {state['date']}; " + ", ".join(f"{k} {v}" for k, v in state["versions"].items()) + ".",
        "",
        "Columns and the way of measuring are torch2trt's: throughput is calls a second, one behind the other"
        f" ({state['calls']} of them), latency the milliseconds of one call that is waited for (on a CPU, where a call returns"
        " when it is done, both are of the same calls), and max error the largest absolute difference between Burnish's output and"
        " PyTorch's. Relative L2 is against the module in FP32. Weights are random, as scripts/sound_weights.py draws them; calls run without"
        " gradients; torch.compile has its defaults. Speed-up is of throughput, Burnish against PyTorch.",
        "",
        *means(rows),
        "",
        f"![Speed-up of each model]({chart})",
        "",
        "| " + " | ".join(HEADINGS) + " |",
        "|" + "---|" * len(HEADINGS),
    ]
    lines += ["| " + " | ".join(_cells(row, state["precision"])) + " |" for row in rows]
    reasons = [f"- {row['name']}, {way}: {reason}" for row in rows for way, reason in row.get("failed", {}).items()]
    if reasons:
        lines += ["", "What failed:", "", *reasons]
    return "\n".join(lines) + "\n"


def means(rows: Sequence[Row]) -> list[str]:
    """A line for each group of models that has rows: the geometric means of its speed-ups."""
    groups = {
        "torch2trt's table": [row for row in rows if row["name"] in subjects.TABLE],
        "torch2trt's other lists": [row for row in rows if row["name"] in subjects.OTHERS],
        "timm": [row for row in rows if row["name"].startswith(subjects.TIMM)],
        "all": rows,
    }
    lines = []
    for title, group in groups.items():
        if group and (title != "all" or sum(bool(other) for other in groups.values()) > 2):
            ours, theirs = _mean(speed_up(row) for row in group), _mean(speed_up(row, "torch.compile") for row in group)
            lines.append(f"- Geometric mean of speed-ups over PyTorch, {title}: Burnish {ours}, torch.compile {theirs}.")
    return lines


def _mean(ratios: Iterable[float | None]) -> str:
    every = list(ratios)
    known = [ratio for ratio in every if ratio]
    return f"{geometric_mean(known):.2f}x ({len(known)} of {len(every)} models)" if known else "not measured"


def _cells(row: Row, precision: str) -> list[str]:
    failed = row.get("failed", {})

    def timing(way: str, key: str) -> str:
        return f"{row[way][key]:.3g}" if way in row else "failed" if way in failed else ""

    def error(key: str) -> str:
        return f"{row[key]:.2E}" if key in row else "failed" if "burnish" in failed else ""

    ways = ("pytorch", "torch.compile", "burnish")
    ratio = speed_up(row)
    return [
        *(row["name"], row.get("dtype", ""), str([tuple(shape) for shape in row.get("shapes", [])]), f"{{'precision': '{precision}'}}"),
        *(error(key) for key in ("max_error", "relative_l2", "pytorch_relative_l2")),
        *(timing(way, "throughput") for way in ways),
        *(timing(way, "latency_ms") for way in ways),
        f"{ratio:.2f}x" if ratio else "",
    ]


BAR, GAP, GROUP = 11, 2, 32  # heights, in pixels
LEFT, PLOT, RIGHT, TOP = 190, 560, 70, 78  # widths; TOP is a height
OURS, THEIRS, INK, GRID = "#c2410c", "#94a3b8", "#1f2937", "#e5e7eb"


def svg(state: dict[str, Any]) -> str:
    """Bars of speed-ups over eager PyTorch, the greatest first, torch.compile's beside Burnish's."""
    rows = sorted((row for row in state["rows"] if speed_up(row)), key=lambda row: -(speed_up(row) or 0))
    most = max((speed_up(row, way) or 0 for row in rows for way in ("burnish", "torch.compile")), default=1)
    step = _step(most)
    top = step * (int(most / step) + 1)
    height = TOP + GROUP * len(rows) + 16
    title = f"Throughput against eager PyTorch: {state['precision'].upper()}, batch 1, {state['chip']}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + PLOT + RIGHT}" height="{height}" font-family="sans-serif" font-size="12" fill="{INK}">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="12" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<rect x="12" y="34" width="11" height="11" fill="{OURS}"/><text x="28" y="44">Burnish</text>',
        f'<rect x="92" y="34" width="11" height="11" fill="{THEIRS}"/><text x="108" y="44">torch.compile</text>',
    ]
    for tick in range(int(top / step) + 1):
        x = LEFT + PLOT * tick * step / top
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{height - 12}" stroke="{INK if tick * step == 1 else GRID}"/>')
        parts.append(f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{tick * step:g}x</text>')
    for index, row in enumerate(rows):
        parts += _bars(row, TOP + GROUP * index, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _bars(row: Row, y: int, top: float) -> list[str]:
    parts = [f'<text x="{LEFT - 8}" y="{y + BAR + 5}" text-anchor="end">{escape(row["name"])}</text>']
    for way, colour, offset in (("burnish", OURS, 0), ("torch.compile", THEIRS, BAR + GAP)):
        ratio = speed_up(row, way)
        if ratio:
            width = PLOT * ratio / top
            parts.append(f'<rect x="{LEFT}" y="{y + offset}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
            parts.append(f'<text x="{LEFT + width + 5:.1f}" y="{y + offset + BAR - 1}" font-size="11">{ratio:.2f}x</text>')
    return parts


def _step(most: float) -> float:
    """A round distance between ticks that gives at most ten of them."""
    return next(step for step in (0.5, 1, 2, 5, 10, 20, 50, 100, 1e9) if most / step < 10)
