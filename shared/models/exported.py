"""A CTranslate2 Whisper written as a directory of the transformers library: `steno models export`.

The weights are the same numbers under other names; the matrices of queries, keys and values, which
CTranslate2 keeps as one, are cut apart. Layout of the source: `ctranslate2.specs.model_spec.ModelSpec.save`,
version 6.
"""

import fcntl
import hashlib
import json
import re
import shutil
import struct
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from shared.errors import ModelUnavailable
from shared.models.files import MULTILINGUAL_TOKENS, is_transformers, missing_files
from shared.models.packaged import default_cache_dir

_VERSION: Final = 6
_TYPES: Final = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
Weights = dict[str, Any]


def transformers_directory(model: Path, *, cache: Path | None = None) -> Path:
    """`model` itself if it is a directory of the transformers library; else what it says, written once into
    the cache. Raises `ModelUnavailable`."""
    if is_transformers(model):
        return model
    weights = model / "model.bin"
    if lacking := missing_files(model):
        raise ModelUnavailable(f"{model} is no Whisper model: it lacks {', '.join(lacking)}")
    cache = cache or default_cache_dir()
    stat = weights.stat()
    source = f"{weights.resolve()} {stat.st_size} {stat.st_mtime_ns}"
    place = cache / f"transformers--{model.resolve().name}-{hashlib.sha256(source.encode()).hexdigest()[:12]}"
    if place.is_dir():
        return place
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / f".{place.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of processes that start at the same time one writes
            if not place.is_dir():
                export(model, place)
    except OSError as error:
        raise ModelUnavailable(
            f"the model cache {cache} can't be written ({error}); choose another with STENO_MODEL_CACHE"
        ) from error
    return place


def export(model: Path, target: Path) -> None:
    """Write the CTranslate2 model in `model` to the new directory `target`, which is there complete or not at
    all. Raises `ModelUnavailable` where the source can't be read."""
    try:
        safetensors = import_module("safetensors.numpy")
    except ImportError:
        raise ModelUnavailable(
            "a model can't be written for the transformers library without the package safetensors: "
            "pip install 'steno[huggingface]'"
        ) from None
    with (model / "model.bin").open("rb") as file:
        weights = _read(file)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        names = _renamed(weights)
        safetensors.save_file(names, str(made / "model.safetensors"), metadata={"format": "pt"})
        shutil.copyfile(model / "tokenizer.json", made / "tokenizer.json")
        for name, content in _descriptions(weights, names, model).items():
            (made / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
        made.rename(target)


def _read(file: BinaryIO) -> Weights:
    """Names and values of a model.bin."""

    def number(form: str) -> int:
        return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])

    def text() -> str:
        return file.read(number("<H"))[:-1].decode()

    try:
        if (version := number("<I")) != _VERSION:
            raise ModelUnavailable(f"model.bin is of version {version}; only {_VERSION} can be exported")
        if (kind := text()) != "WhisperSpec":
            raise ModelUnavailable(f"model.bin holds a {kind}, which is no Whisper")
        number("<I")
        weights: Weights = {}
        for _ in range(number("<I")):
            name = text()
            shape = [number("<I") for _ in range(number("<B"))]
            kind = _TYPES[number("<B")]
            weights[name] = np.frombuffer(file.read(number("<I")), kind).reshape(shape)
        for _ in range(number("<I")):
            alias = text()
            weights[alias] = weights[text()]
    except (struct.error, KeyError, ValueError, UnicodeDecodeError) as error:
        raise ModelUnavailable(f"model.bin can't be read ({error!r}); fetch the model anew") from None
    return weights


def _renamed(weights: Weights) -> Weights:
    names: Weights = {}
    for part in ("encoder", "decoder"):
        mine, theirs = f"{part}/", f"model.{part}."
        names[f"{theirs}embed_positions.weight"] = _value(weights, f"{mine}position_encodings/encodings")
        _norm(weights, f"{mine}layer_norm", names, f"{theirs}layer_norm")
        for n in range(_layers(weights, part)):
            _layer(weights, f"{mine}layer_{n}/", names, f"{theirs}layers.{n}.", decodes=part == "decoder")
    for conv in ("conv1", "conv2"):
        names[f"model.encoder.{conv}.weight"] = _value(weights, f"encoder/{conv}/weight")
        names[f"model.encoder.{conv}.bias"] = _value(weights, f"encoder/{conv}/bias")
    names["model.decoder.embed_tokens.weight"] = _value(weights, "decoder/embeddings/weight")
    return {name: np.ascontiguousarray(value) for name, value in names.items()}


def _layer(weights: Weights, mine: str, names: Weights, theirs: str, *, decodes: bool) -> None:
    _attention(weights, f"{mine}self_attention/", names, f"{theirs}self_attn", ("qkv", "out"))
    if decodes:
        _attention(weights, f"{mine}attention/", names, f"{theirs}encoder_attn", ("q", "kv", "out"))
    for n, name in enumerate(("fc1", "fc2")):
        names[f"{theirs}{name}.weight"] = _value(weights, f"{mine}ffn/linear_{n}/weight")
        names[f"{theirs}{name}.bias"] = _value(weights, f"{mine}ffn/linear_{n}/bias")
    _norm(weights, f"{mine}ffn/layer_norm", names, f"{theirs}final_layer_norm")


def _attention(weights: Weights, mine: str, names: Weights, theirs: str, linears: tuple[str, ...]) -> None:
    for n, linear in enumerate(linears):
        pieces = [linear] if linear == "out" else [*linear]
        matrices = np.split(_value(weights, f"{mine}linear_{n}/weight"), len(pieces))
        biases = np.split(_value(weights, f"{mine}linear_{n}/bias"), len(pieces))
        for piece, matrix, bias in zip(pieces, matrices, biases, strict=True):
            names[f"{theirs}.{piece}_proj.weight"] = matrix
            if piece != "k":  # Whisper's keys have none
                names[f"{theirs}.{piece}_proj.bias"] = bias
    _norm(weights, f"{mine}layer_norm", names, f"{theirs}_layer_norm")


def _norm(weights: Weights, mine: str, names: Weights, theirs: str) -> None:
    names[f"{theirs}.weight"] = _value(weights, f"{mine}/gamma")
    names[f"{theirs}.bias"] = _value(weights, f"{mine}/beta")


def _value(weights: Weights, name: str) -> Any:
    """In half precision; what is kept in 8 bits is multiplied out by its scale, a row's each."""
    try:
        value = weights[name]
    except KeyError:
        raise ModelUnavailable(f"model.bin has no {name}: it is no Whisper that can be exported") from None
    if value.dtype == np.int8:
        scale = np.asarray(weights[f"{name}_scale"], np.float32)
        value = value.astype(np.float32) / scale.reshape(-1, *[1] * (value.ndim - 1))
    return np.asarray(value, np.float16)


def _layers(weights: Weights, part: str) -> int:
    found = (re.match(rf"{part}/layer_(\d+)/", name) for name in weights)
    return len({match[1] for match in found if match})


def _descriptions(weights: Weights, names: Weights, model: Path) -> dict[str, Any]:
    """The files beside the weights."""
    config: dict[str, Any] = json.loads((model / "config.json").read_bytes())
    tokens: list[dict[str, Any]] = json.loads((model / "tokenizer.json").read_bytes())["added_tokens"]
    number = {str(token["content"]): int(token["id"]) for token in tokens}
    vocabulary, width = names["model.decoder.embed_tokens.weight"].shape
    end, start = number["<|endoftext|>"], number["<|startoftranscript|>"]
    layers = {part: _layers(weights, part) for part in ("encoder", "decoder")}
    heads = {part: _heads(weights, part, width) for part in layers}
    languages = {f"<|{t[2:-2]}|>": number[t] for t in number if number[t] in config.get("lang_ids", [])}
    ends = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end, "decoder_start_token_id": start}
    multilingual = vocabulary >= MULTILINGUAL_TOKENS
    generation: dict[str, Any] = {
        **ends,
        "max_length": 448,
        "is_multilingual": multilingual,
        "no_timestamps_token_id": number["<|notimestamps|>"],
        "prev_sot_token_id": number["<|startofprev|>"],
        "suppress_tokens": config.get("suppress_ids", []),
        "begin_suppress_tokens": config.get("suppress_ids_begin", []),
        "alignment_heads": config.get("alignment_heads", []),
        "max_initial_timestamp_index": 50,
        "return_timestamps": False,
    }
    if multilingual:
        tasks = {task: number[f"<|{task}|>"] for task in ("transcribe", "translate")}
        generation |= {"lang_to_id": languages, "task_to_id": tasks}
    mels = names["model.encoder.conv1.weight"].shape[1]
    return {
        "config.json": {
            "model_type": "whisper",
            "architectures": ["WhisperForConditionalGeneration"],
            "dtype": "float16",
            "vocab_size": vocabulary,
            "d_model": width,
            "num_mel_bins": mels,
            "encoder_layers": layers["encoder"],
            "decoder_layers": layers["decoder"],
            "encoder_attention_heads": heads["encoder"],
            "decoder_attention_heads": heads["decoder"],
            "encoder_ffn_dim": names["model.encoder.layers.0.fc1.weight"].shape[0],
            "decoder_ffn_dim": names["model.decoder.layers.0.fc1.weight"].shape[0],
            "max_source_positions": names["model.encoder.embed_positions.weight"].shape[0],
            "max_target_positions": names["model.decoder.embed_positions.weight"].shape[0],
            **ends,
        },
        "generation_config.json": generation,
        "preprocessor_config.json": {
            "feature_extractor_type": "WhisperFeatureExtractor",
            "feature_size": mels,
            "sampling_rate": 16_000,
            "hop_length": 160,
            "n_fft": 400,
            "chunk_length": 30,
            "padding_value": 0.0,
            "return_attention_mask": False,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "WhisperTokenizer",
            "bos_token": "<|endoftext|>",
            "eos_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
        },
    }


def _heads(weights: Weights, part: str, width: int) -> int:
    """As the file says; else 64 states a head, as all of Whisper's sizes have."""
    given = weights.get(f"{part}/num_heads")
    return int(np.asarray(given).reshape(-1)[0]) if given is not None else width // 64
