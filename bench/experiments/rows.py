"""What experiments share whose tables have a row for each variant."""

import argparse
import json
from pathlib import Path

from bench import environment
from bench.answers import Remembered
from shared.models import resolve
from worker.engine.api import EngineOptions, make_engine


def parser(description: str, *, minutes: float) -> argparse.ArgumentParser:
    """Which data, model, table of costs and baseline."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--model", default="base")
    made.add_argument("--minutes", type=float, default=minutes)
    made.add_argument("--cost", default="cpu-zen4-base", help="a table of bench/costs: what decodes take")
    made.add_argument("--baseline", type=Path, required=True, help="kept here, or taken from here")
    return made


def remembering(model: str) -> Remembered:
    """An engine on the CPU that makes each decode once. Says on which machine."""
    path = resolve(model).path
    made = make_engine("faster_whisper", EngineOptions(model=model, path=path, device="cpu"))
    made.prepare()
    print(json.dumps(environment.describe()))
    return Remembered(made)
