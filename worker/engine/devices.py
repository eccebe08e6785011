"""On what CTranslate2 decodes, and how it says that a device is gone."""

import ctranslate2


def choose_device(device: str, compute_type: str) -> tuple[str, str]:
    """What runs best here: CUDA when there is a device, int8 on a CPU, int8_float16 or float16 on CUDA."""
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() > 0 else "cpu"
    if compute_type != "auto":
        return device, compute_type
    if device == "cpu":
        return device, "int8"
    supported = ctranslate2.get_supported_compute_types("cuda")
    return device, next(t for t in ("int8_float16", "float16", "int8", "float32") if t in supported)


def is_device_lost(message: str) -> bool:
    """Whether an error of CTranslate2 means that the CUDA context is gone: after an illegal access every
    later call fails too. Memory that ran out is another matter: the next batch may fit."""
    text = message.lower()
    return any(word in text for word in ("cuda", "cublas", "cudnn")) and "out of memory" not in text
