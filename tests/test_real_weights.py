"""Networks with their real weights do their job: MiniLM finds sentences, EfficientNet-Lite0 names what is on photographs."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

for package in ("torch", "onnxscript", "transformers", "efficientnet_lite_pytorch"):
    pytest.importorskip(package, reason=f"{package} is not installed (scripts/setup.sh --peers installs it)")

import torch  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

import burnish  # noqa: E402
import export_models  # noqa: E402
from fetch_models import models_folder  # noqa: E402

NO_TUNING: dict[str, Any] = {"device": "cpu", "tune": "model", "tuning_cache": "none"}

#: Queries, each with the sentence that answers it: of all sentences, the nearest.
PAIRS = {
    "How do I get my money back?": "Refunds are paid within fourteen days of the return of the goods.",
    "The cat is asleep.": "A kitten naps on the sofa.",
    "Which planet is the largest?": "Jupiter has more mass than all the other planets together.",
    "Make the network run faster.": "Fusing the layers of a model lowers its latency on the graphics card.",
    "It is pouring outside.": "Take an umbrella, heavy rain is expected until the evening.",
    "What should I cook tonight?": "This recipe for lentil soup takes half an hour.",
    "He broke a bone.": "The patient was taken to hospital with a fractured arm.",
}


class SentenceEncoder(torch.nn.Module):
    """Token ids and mask [N,L] to one unit vector [N,384] a sentence: the mean over its tokens."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        inside = attention_mask[..., None].float()
        return torch.nn.functional.normalize((states * inside).sum(1) / inside.sum(1))


def model_file(name: str) -> Path:
    path = models_folder() / name
    if not path.exists():
        pytest.skip(f"{path} is not there (scripts/fetch_models.py fetches it)")
    return path


def test_minilm_finds_the_nearest_sentence() -> None:
    import transformers

    folder = model_file("minilm")
    encoder = SentenceEncoder(transformers.AutoModel.from_pretrained(folder)).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def tokens(texts: list[str]) -> dict[str, torch.Tensor]:
        given = tokenizer(texts, padding=True, return_tensors="pt")
        return {name: given[name] for name in ("input_ids", "attention_mask")}

    sentences = list(PAIRS.values())
    axes = {0: torch.export.Dim("batch", min=1, max=16), 1: torch.export.Dim("length", min=2, max=64)}
    shapes = {"input_ids": axes, "attention_mask": axes}
    fast = burnish.compile(encoder, example_kwargs=tokens(sentences), dynamic_shapes=shapes, **NO_TUNING)
    known = fast(**tokens(sentences))
    for query, answer in PAIRS.items():
        near = (known @ fast(**tokens([query]))[0]).argmax()
        assert sentences[near] == answer, f"'{query}' is answered by '{sentences[near]}'"
    with torch.no_grad():
        torch.testing.assert_close(known, encoder(**tokens(sentences)), rtol=1e-4, atol=1e-5)


def photograph(path: Path) -> torch.Tensor:
    """[3,224,224], as EfficientNet-Lite was trained."""
    picture = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    return torch.from_numpy((np.asarray(picture, np.float32) - 127) / 128).permute(2, 0, 1)


def test_efficientnet_lite0_classifies_photographs() -> None:
    model_file("efficientnet_lite0.pth")
    paths = sorted((models_folder() / "images").glob("imagenet_*.jpg"))
    assert len(paths) == 20
    pictures = torch.stack([photograph(path) for path in paths])
    model = export_models.efficientnet_lite0()
    batch = torch.export.Dim("batch", min=1, max=20)
    fast = burnish.compile(model, (pictures[:2],), dynamic_shapes=({0: batch},), **NO_TUNING)
    with torch.no_grad():
        expected = model(pictures)
    for scores in (fast(pictures), torch.cat([fast(picture[None]) for picture in pictures])):
        assert torch.linalg.vector_norm(scores - expected) <= 1e-4 * torch.linalg.vector_norm(expected)
        assert scores.argmax(1).tolist() == expected.argmax(1).tolist()
    labels = [int(path.stem.split("_")[-1]) for path in paths]
    right = sum(best == label for best, label in zip(expected.argmax(1).tolist(), labels, strict=True))
    assert right >= 12, f"{right} of 20 photographs are named rightly: the pictures or weights are not what they should be"
