"""The record of bench/gpu_targets, a file of JSON, and the page that is made from it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def in_words(row: dict[str, Any]) -> str:
    """A row for the terminal."""
    if "failed" in row:
        return f"FAILED: {' '.join(row['failed'].split())}"
    measured, target, met = cells(row)
    shown = "".join(f"; {name}: {figure(value)}" for name, value in row["shown"].items())
    return f"{measured} ({target}){'' if met == 'yes' else ', MISSED'}{shown}"


def figure(value: float | str, unit: str = "") -> str:
    """Three digits, or more where they stand before the point."""
    if isinstance(value, str):
        return value
    return (f"{value:.0f}" if 1000 <= value < 1e6 else f"{value:.3g}") + unit


def cells(row: dict[str, Any]) -> list[str]:
    """What is measured, its target, and whether it is met."""
    target = f"{'>=' if row['at_least'] else '<='} {figure(row['target'], row['unit'])}"
    return [figure(row["measured"], row["unit"]), target, "yes" if row["met"] else "NO"]


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table whose first line is its head."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    drawn = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines]
    return [drawn[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *drawn[1:]]


def tables(rows: Iterable[dict[str, Any]]) -> list[str]:
    """A table for each set of columns, and what failed below them."""
    by_columns: dict[tuple[str, ...], list[Sequence[str]]] = {}
    failed = []
    for row in rows:
        if "failed" in row:
            failed.append(f"- {row['subject']}: failed: {' '.join(row['failed'].split())}")
            continue
        shown = row["shown"]
        head = ("", *shown, "measured", "target", "met", "date")
        line = [row["subject"], *(figure(value) for value in shown.values()), *cells(row), row["date"]]
        by_columns.setdefault(tuple(shown), [head]).append(line)
    parts = [aligned(lines) for lines in by_columns.values()] + ([failed] if failed else [])
    return [line for part in parts for line in ("", *part)]


def natural(row: dict[str, Any]) -> list[int | str]:
    """By which subjects sort: numbers in them as numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", row["subject"])]


def page(record: dict[str, Any], sections: dict[str, str]) -> str:
    """The measurements as a page of Markdown; `sections`: what it says of each, in order."""
    lines = [
        "# What a GPU engine promises beside its speed",
        "",
        "FP16 inputs and outputs, sound random weights (PP-OCR's recogniser: its own). Device times: medians of `burnish bench`.",
        "Repeat with `bench/gpu_targets`.",
        "",
    ]
    lines += [f"- {about['date']}: {about['chip']}; {about['versions']}" for _, about in sorted(record["facts"].items())]
    for section, words in sections.items():
        rows = sorted((row for row in record["rows"].values() if row["section"] == section), key=natural)
        if rows:
            lines += ["", f"## {section}", "", words, *tables(rows)]
    return "\n".join(lines) + "\n"


def write_whole(path: Path, text: str) -> None:
    """Whoever reads meanwhile finds the old text or the new one."""
    beside = path.with_name(path.name + ".new")
    beside.write_text(text)
    os.replace(beside, path)


@dataclass
class Record:
    """Everything measured so far: facts by date and chip, rows by their key. Lies in a file, beside the page that it makes."""

    path: Path
    sections: dict[str, str]  # what the page says of each
    content: dict[str, Any] = field(default_factory=lambda: {"facts": {}, "rows": {}})

    def __post_init__(self) -> None:
        if self.path.is_file():
            self.content = json.loads(self.path.read_text())

    @property
    def rows(self) -> dict[str, dict[str, Any]]:
        """By key."""
        rows: dict[str, dict[str, Any]] = self.content["rows"]
        return rows

    def write(self, page_alone: bool = False) -> None:
        """The file and the page."""
        if not page_alone:
            write_whole(self.path, json.dumps(self.content, indent=1) + "\n")
        write_whole(self.path.with_suffix(".md"), page(self.content, self.sections))

    def keep(self, key: str, row: dict[str, Any], about: dict[str, str]) -> None:
        """In the file and on the page, as one row more."""
        self.content["facts"][f"{about['date']} {about['chip']}"] = about
        self.rows[key] = {"date": about["date"], "chip": about["chip"], **row}
        self.write()

    def merge(self, other: dict[str, Any]) -> None:
        """The other's rows instead of one's own, but for those that failed there alone."""
        self.content["facts"] |= other["facts"]
        for key, row in other["rows"].items():
            if "failed" not in row or "measured" not in self.rows.get(key, {}):
                self.rows[key] = row
        self.write()
