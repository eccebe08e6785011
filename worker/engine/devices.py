"""On what CTranslate2 decodes, and what errors of a decoder's library mean."""

import re
from typing import Final

import ctranslate2

from shared.errors import ModelUnavailable

_PACKAGES: Final = {
    "cublas": "nvidia-cublas-cu12",
    "cublasLt": "nvidia-cublas-cu12",
    "cudart": "nvidia-cuda-runtime-cu12",
    "cudnn": "nvidia-cudnn-cu12",
    "nvrtc": "nvidia-cuda-nvrtc-cu12",
}
_LIBRARY: Final = re.compile(r"(lib([a-zA-Z]+)\w*\.so(?:\.\d+)*) is not found or cannot be loaded")
_OUT_OF_MEMORY: Final = ("out of memory", "alloc_failed", "can't allocate memory")


def choose_device(device: str, compute_type: str) -> tuple[str, str]:
    """What runs best here: CUDA when there is a device, int8 on a CPU, int8_float16 or float16 on CUDA.
    Raises `ModelUnavailable` when CUDA is asked for and there is none."""
    count = ctranslate2.get_cuda_device_count()
    if device == "auto":
        device = "cuda" if count > 0 else "cpu"
    if device == "cuda" and count == 0:
        raise ModelUnavailable(
            "STENO_DEVICE is cuda, and CTranslate2 sees no CUDA device: install NVIDIA's driver, give a "
            "container its GPU (--gpus all), or set STENO_DEVICE=cpu; `steno doctor` shows what is seen"
        )
    if compute_type != "auto":
        return device, compute_type
    if device == "cpu":
        return device, "int8"
    supported = ctranslate2.get_supported_compute_types("cuda")
    return device, next(t for t in ("int8_float16", "float16", "int8", "float32") if t in supported)


def missing_library(message: str) -> str:
    """What to do where an error of CTranslate2 says that a CUDA library, which it opens when it first needs
    it, is not there; empty for other errors."""
    if (found := _LIBRARY.search(message)) is None:
        return ""
    library, name = found[1], found[2]
    package = _PACKAGES.get(name, "of the CUDA 12 toolkit that has it")
    return (
        f"CTranslate2 needs {library} on CUDA and can't load it: install the package {package} and put its "
        "folder with the library on LD_LIBRARY_PATH, build the worker's image with DEVICE=cuda, or set "
        "STENO_DEVICE=cpu"
    )


def is_out_of_memory(message: str) -> bool:
    """Whether an error of a decoder's library means that the device's memory did not suffice for the call."""
    return any(words in message.lower() for words in _OUT_OF_MEMORY)


def is_device_lost(message: str) -> bool:
    """Whether an error of CTranslate2 means that the CUDA context is gone: after an illegal access every
    later call fails too. Memory that ran out is another matter: a smaller batch may fit."""
    text = message.lower()
    return any(word in text for word in ("cuda", "cublas", "cudnn")) and not is_out_of_memory(text)
