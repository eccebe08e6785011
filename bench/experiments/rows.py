"""What experiments share whose tables have a row for each variant."""

import argparse
import json
import sys
from pathlib import Path

from bench import environment
from bench.answers import Answers, Remembered, source_of
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
    made.add_argument("--answers", type=Path, metavar="FILE", help="keep decodes here, and take known ones")
    return made


def remembering(model: str, answers: Path | None = None) -> Remembered:
    """An engine on the CPU that makes each decode once. Says on which machine. Exits where the file of
    answers is another engine's."""
    files = resolve(model)
    options = EngineOptions(model=model, path=files.path, multilingual=files.multilingual, device="cpu")
    made = make_engine("faster_whisper", options)
    made.prepare()
    print(json.dumps(environment.describe()))
    try:
        return Remembered(made, Answers(answers, source_of(made.info)))
    except ValueError as error:
        sys.exit(str(error))
