"""A Whisper of any size with random weights: `python -m bench.random_model DIR [--shape large-v3-turbo]`.

Speed does not depend on what the weights say, so that a size whose weights can't be had is measured so. The
text is noise. Tokenizer and vocabulary are those of `base`, with the language that version 3 has besides.

The layout is that of `ctranslate2.specs.WhisperSpec`; sizes are from the published model configurations.
"""

import argparse
import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import numpy as np
from ctranslate2.specs import model_spec, whisper_spec

from shared.models import resolve

_POSITIONS: Final = 1500
_TEXT_POSITIONS: Final = 448
_ADDED: Final = "<|yue|>"
_BEFORE: Final = "<|translate|>"


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a Whisper."""

    width: int
    heads: int
    encoder_layers: int
    decoder_layers: int
    mels: int = 80
    version_3: bool = False
    """Whether its vocabulary has Cantonese."""


SHAPES: Final = {
    "tiny": Shape(384, 6, 4, 4),
    "base": Shape(512, 8, 6, 6),
    "small": Shape(768, 12, 12, 12),
    "medium": Shape(1024, 16, 24, 24),
    "large-v3": Shape(1280, 20, 32, 32, mels=128, version_3=True),
    "large-v3-turbo": Shape(1280, 20, 32, 4, mels=128, version_3=True),
}


def write_random_model(folder: Path, shape: Shape, *, like: Path, seed: int = 0) -> None:
    """Write a model directory that CTranslate2 and faster-whisper load. `like` is a multilingual model that
    tokenizer and vocabulary are taken from. Weights are float16."""
    folder.mkdir(parents=True, exist_ok=True)
    names = (like / "vocabulary.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    tokenizer = json.loads((like / "tokenizer.json").read_text(encoding="utf-8"))
    config = json.loads((like / "config.json").read_text(encoding="utf-8"))
    if shape.version_3:
        at = names.index(_BEFORE)
        names.insert(at, _ADDED)
        tokenizer["added_tokens"] = _with_token(tokenizer["added_tokens"], at)
        config["lang_ids"] = [*config["lang_ids"], at]
    spec = whisper_spec.WhisperSpec(shape.encoder_layers, shape.heads, shape.decoder_layers, shape.heads)
    _fill(spec, shape, len(names), np.random.default_rng(seed))
    spec.register_vocabulary(names)
    written: Any = spec.config
    written.suppress_ids = config["suppress_ids"]
    written.suppress_ids_begin = config["suppress_ids_begin"]
    written.lang_ids = config["lang_ids"]
    written.alignment_heads = list(
        product(range(shape.decoder_layers // 2, shape.decoder_layers), range(min(2, shape.heads)))
    )
    spec.validate()
    spec.save(str(folder))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    extractor = {"feature_size": shape.mels, "sampling_rate": 16_000, "hop_length": 160, "n_fft": 400}
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor), encoding="utf-8")


def _with_token(tokens: list[dict[str, Any]], at: int) -> list[dict[str, Any]]:
    model = next(token for token in tokens if token["id"] == at)
    moved = [token | {"id": token["id"] + (token["id"] >= at)} for token in tokens]
    return sorted([*moved, model | {"id": at, "content": _ADDED}], key=lambda token: token["id"])


def _fill(spec: Any, shape: Shape, vocabulary: int, rng: np.random.Generator) -> None:
    d = shape.width
    _random(spec.encoder.conv1, (d, shape.mels, 3), rng)
    _random(spec.encoder.conv2, (d, d, 3), rng)
    _random(spec.decoder.embeddings, (vocabulary, d), rng, bias=False)
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    for part, positions in ((spec.encoder, _POSITIONS), (spec.decoder, _TEXT_POSITIONS)):
        part.position_encodings.encodings = _weights((positions, d), rng)
        _norm(part.layer_norm, d)
        for layer in part.layer:
            _norm(layer.self_attention.layer_norm, d)
            _random(layer.self_attention.linear[0], (3 * d, d), rng)
            _random(layer.self_attention.linear[1], (d, d), rng)
            if part is spec.decoder:
                _norm(layer.attention.layer_norm, d)
                for linear, rows in zip(layer.attention.linear, (d, 2 * d, d), strict=True):
                    _random(linear, (rows, d), rng)
            _norm(layer.ffn.layer_norm, d)
            _random(layer.ffn.linear_0, (4 * d, d), rng)
            _random(layer.ffn.linear_1, (d, 4 * d), rng)


def _weights(size: tuple[int, ...], rng: np.random.Generator) -> Any:
    # Small enough that float16 activations stay finite through 32 layers.
    return (rng.standard_normal(size, np.float32) * 0.02).astype(np.float16)


def _random(
    layer: model_spec.LayerSpec, size: tuple[int, ...], rng: np.random.Generator, *, bias: bool = True
) -> None:
    layer.weight = _weights(size, rng)
    if bias:
        layer.bias = np.zeros(size[0], np.float16)


def _norm(layer: model_spec.LayerSpec, width: int) -> None:
    layer.gamma, layer.beta = np.ones(width, np.float16), np.zeros(width, np.float16)


def main() -> None:
    """Write one."""
    parser = argparse.ArgumentParser(description="Write a Whisper with random weights.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="large-v3-turbo")
    options = parser.parse_args()
    write_random_model(options.folder, SHAPES[options.shape], like=resolve("base").path)
    print(f"{options.folder}: {options.shape}, random weights")


if __name__ == "__main__":
    main()
