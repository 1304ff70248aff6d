"""What the title model is made for: English texts as the tokens of its own tokenizer (a unigram model).

Kudo, "Subword Regularization", 2018: of all ways to cut a text into known pieces, the likeliest.
"""

from __future__ import annotations

import json
import math
import sys
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from fetch_models import models_folder  # noqa: E402

PAD, END, UNKNOWN = 0, 1, 2
UNKNOWN_SCORE = -100.0  # worse than any pieces that are known

# Each has more tokens than its tokenizer takes (48).
TEXTS = (
    "The login page stops with an error when the session has expired. Read the handler, find where the token is "
    "checked against the database, return the user to the first page with a message, and add a test which shows "
    "that the page now opens again after the session has come to its end.",
    "Our nightly job copies the orders of the last day into a table for the reports. Since Monday it takes four hours "
    "in place of twenty minutes. Look at the query plan, add an index where one is missing, and write down how long "
    "the job took before and how long it takes after the change.",
    "Please write a small script that reads all pictures in a folder, makes each of them no wider than eight hundred "
    "pixels, keeps the date in the file, and puts the results into a new folder. It should skip what is no picture "
    "and print a line for every file that it could not read.",
    "The documentation of the weather service still describes the old address and the old names of the fields. Go "
    "through every page, correct the examples so that they run against the new version, and list at the end what "
    "has changed for people who come from the old one.",
)


@cache
def scores() -> dict[str, tuple[int, float]]:
    """Each piece of the tokenizer's vocabulary: its id, and the logarithm of how likely it is."""
    tokenizer = json.loads((models_folder() / "title_tokenizer.json").read_text())
    return {piece: (number, score) for number, (piece, score) in enumerate(tokenizer["model"]["vocab"])}


def tokens_of(text: str) -> list[int]:
    """The likeliest pieces of a text of printable ASCII, by the Viterbi algorithm."""
    text = "▁" + text.replace(" ", "▁")
    best = [(0.0, 0, PAD)] + [(-math.inf, 0, PAD)] * len(text)  # of the text up to here: score, start of its last piece, id
    longest = max(map(len, scores()))
    for start in range(len(text)):
        for end in range(start + 1, min(len(text), start + longest) + 1):
            unknown = (UNKNOWN, UNKNOWN_SCORE) if end == start + 1 else (UNKNOWN, -math.inf)
            piece, score = scores().get(text[start:end], unknown)
            best[end] = max(best[end], (best[start][0] + score, start, piece))
    tokens, end = [], len(text)
    while end > 0:
        tokens.append(best[end][2])
        end = best[end][1]
    return tokens[::-1]


def texts(batch: int, length: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Texts cut somewhere in the last half of `length` and padded: int64 ids and attention mask, both [batch,length]."""
    ids, mask = np.full((batch, length), PAD), np.zeros((batch, length), np.int64)
    for row, end in enumerate(rng.integers(length - length // 2, length + 1, batch)):
        ids[row, : end - 1] = tokens_of(TEXTS[row % len(TEXTS)])[: end - 1]
        ids[row, end - 1] = END
        mask[row, :end] = 1
    return ids, mask
