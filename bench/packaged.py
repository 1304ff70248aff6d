"""The models that packages carry (scripts/models.toml), with inputs for them that mean something, at any of their sizes.

Pictures come from the photographed page, so that the detector finds lines and the recogniser letters; the title decoder
writes for English texts. Needs NumPy and Pillow (ONNX Runtime for the title decoder), and the files that scripts/fetch_models.py fetches.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import title_text  # noqa: E402
from fetch_models import models_folder  # noqa: E402

Sizes = tuple[int, ...]
Inputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Packaged:
    """A packaged model: its file, its dynamic sizes by name, the usual ones and five others (the largest in every
    dimension among them), and inputs for given ones."""

    file: str
    size_names: tuple[str, ...]
    sizes: tuple[Sizes, ...]  # the first are those that people use
    make: Callable[[Sizes, np.random.Generator], Inputs]

    @property
    def path(self) -> Path:
        """Where scripts/fetch_models.py puts it."""
        folder: Path = models_folder()
        return folder / self.file

    def inputs(self, sizes: Sizes | None = None, seed: int = 0) -> Inputs:
        """Inputs of the given sizes (by default the usual ones), the same for the same seed."""
        return self.make(sizes or self.sizes[0], np.random.default_rng(seed))


def page(batch: int, height: int, width: int, rng: np.random.Generator, line: bool = False) -> np.ndarray:
    """Windows of the photographed page, or its second line, resized: float32 [batch,height,width,3] in [-1,1]."""
    picture = Image.open(models_folder() / "images" / "page.png").convert("RGB")
    windows = []
    for _ in range(batch):
        shift = int(rng.integers(0, 20))
        box = (0, 42, picture.width - shift, 66) if line else (shift, shift, picture.width, picture.height)
        windows.append(np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box), np.float32))
    return np.stack(windows) / 127.5 - 1


def planes(pictures: np.ndarray) -> np.ndarray:
    """[N,H,W,C] as [N,C,H,W]."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))


def nsfw(sizes: Sizes, rng: np.random.Generator) -> Inputs:
    """Windows of a photographed retina, the one photograph at hand of which the network is not sure: BGR, means taken off."""
    picture = Image.open(models_folder() / "images" / "retina.jpg").convert("RGB")
    windows = []
    for _ in range(sizes[0]):
        side = rng.integers(250, picture.width)
        x, y = rng.integers(0, picture.width - side, 2)
        windows.append(np.asarray(picture.resize((224, 224), box=(x, y, x + side, y + side)), np.float32)[..., ::-1])
    return {"input:0": np.stack(windows) - np.array([104, 117, 123], np.float32)}


def magika(sizes: Sizes, rng: np.random.Generator) -> Inputs:
    """The first and last 1,024 bytes of a file; 256 stands for none."""
    content = rng.integers(32, 127, (sizes[0], 2048), np.int32)
    content[:, 700:1024] = 256
    return {"bytes": content}


def silero(sizes: Sizes, rng: np.random.Generator) -> Inputs:
    """Windows of 576 samples of sound, and the two states of the recurrent cell."""
    wave = np.sin(np.cumsum(rng.normal(0.1, 0.05, (sizes[0], 576)), axis=1)).astype(np.float32)
    return {"input": 0.3 * wave, **{name: rng.normal(0, 0.5, (1, 1, 128)).astype(np.float32) for name in ("h", "c")}}


def title_encoder(sizes: Sizes, rng: np.random.Generator) -> Inputs:
    """Tokens drawn at random: on some texts ONNX Runtime's own levels of optimisation lie 0.1 apart, as a last bit decides."""
    ids, (batch, length) = rng.integers(2, 32100, sizes), sizes
    ends = rng.integers(length - length // 2, length + 1, (batch, 1))
    return {"input_ids": ids, "attention_mask": (np.arange(length) < ends).astype(np.int64)}


def title_decoder(sizes: Sizes, rng: np.random.Generator) -> Inputs:
    """What ONNX Runtime's encoder makes of texts, and the words that its decoder writes for them, the likeliest each time."""
    import onnxruntime

    batch, written, length = sizes
    ids, mask = title_text.texts(batch, length, rng)
    encoder, decoder = (onnxruntime.InferenceSession(models_folder() / f"title_{part}.onnx") for part in ("encoder", "decoder"))
    inputs = {
        "input_ids": np.full((batch, 1), title_text.PAD),
        "encoder_hidden_states": encoder.run(None, {"input_ids": ids, "attention_mask": mask})[0],
        "encoder_attention_mask": mask,
    }
    while inputs["input_ids"].shape[1] < written:
        words = decoder.run(None, inputs)[0][:, -1:].argmax(-1)
        inputs["input_ids"] = np.concatenate([inputs["input_ids"], words], axis=1)
    return inputs


def random_title_words(sizes: Sizes, rng: np.random.Generator) -> Inputs:
    """The same decoder's inputs drawn at random, like no text: an integer then hangs on a float's last bit."""
    batch, written, length = sizes
    ends = rng.integers(length - length // 2, length + 1, (batch, 1))
    return {
        "input_ids": rng.integers(2, 32100, (batch, written)),
        "encoder_hidden_states": rng.normal(0, 0.2, (batch, length, 512)).astype(np.float32),
        "encoder_attention_mask": (np.arange(length) < ends).astype(np.int64),
    }


PACKAGED = {
    "PP-OCRv6_det_small": Packaged(
        "PP-OCRv6_det_small.onnx",
        ("batch", "height", "width"),
        ((1, 640, 640), (1, 384, 768), (2, 320, 320), (1, 96, 160), (3, 160, 320), (3, 640, 768)),
        lambda s, rng: {"x": planes(page(s[0], s[1], s[2], rng))},
    ),
    "PP-OCRv6_rec_small": Packaged(
        "PP-OCRv6_rec_small.onnx",
        ("batch", "width"),
        ((1, 320), (1, 64), (6, 320), (3, 200), (2, 512), (6, 849)),
        lambda s, rng: {"x": planes(page(s[0], 48, s[1], rng, line=True))},
    ),
    "ch_ppocr_mobile_v2.0_cls_mobile": Packaged(
        "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
        ("batch", "height", "width"),
        # At less than 33 pixels of height its last pooling has nothing to pool: the spec gives no result there.
        ((1, 48, 192), (2, 48, 192), (6, 48, 192), (1, 40, 128), (3, 64, 100), (8, 64, 256)),
        lambda s, rng: {"x": planes(page(s[0], s[1], s[2], rng, line=True))},
    ),
    "magika": Packaged("magika.onnx", ("batch",), ((1,), (2,), (3,), (5,), (8,), (16,)), magika),
    "open-nsfw": Packaged(
        "open-nsfw.onnx",
        ("batch",),
        ((1,), (2,), (3,), (4,), (5,), (8,)),
        nsfw,
    ),
    "silero_vad_v6": Packaged("silero_vad_v6.onnx", ("windows",), ((1,), (2,), (7,), (16,), (31,), (64,)), silero),
    "title_encoder": Packaged(
        "title_encoder.onnx",
        ("batch", "length"),
        # Its tokenizer cuts texts at 48 tokens.
        ((1, 48), (1, 16), (2, 32), (1, 37), (3, 20), (4, 48)),
        title_encoder,
    ),
    "title_decoder": Packaged(
        "title_decoder.onnx",
        ("batch", "written", "length"),
        ((1, 16, 48), (1, 1, 16), (2, 4, 32), (3, 9, 37), (1, 20, 40), (4, 20, 48)),
        title_decoder,
    ),
}
