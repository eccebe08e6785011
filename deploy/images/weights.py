"""Puts weights where `STENO_MODEL_CACHE` and `HF_HOME` say, while an image is built.

python deploy/images/weights.py MODEL|none
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from shared.models import resolve, voices


def main(model: str) -> None:
    """Fetch the model, and the network that tells speakers apart."""
    cache = Path(os.environ["STENO_MODEL_CACHE"])
    cache.mkdir(parents=True, exist_ok=True)
    print(voices())
    if model != "none":
        print(resolve(model).path)
    for path in cache.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    main(sys.argv[1])
