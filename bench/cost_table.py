"""What decodes cost on a device, from a table in bench/costs: measured ones and models, each says which."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from worker.core.window import LARGE, SMALL, WindowPolicy

FOLDER: Final = Path(__file__).parent / "costs"
BEAM_FINAL: Final = 5


class BadTable(ValueError):
    """The file is not a cost table; the message says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostTable:
    """One device with one model. Seconds, unless the name says otherwise."""

    name: str
    what: str
    """`measured`, or that it is a model."""
    source: str
    slots: int
    """Decodes at once."""
    batch_max: int
    policy: WindowPolicy
    encode_s: tuple[tuple[float, float], ...]
    """Length of a window and the time to encode it; straight lines between."""
    project_s: float
    """Keys and values of the decoder: for each second of all windows, and once more of the longest."""
    row_s: float
    """Features, and what else each row takes."""
    step_s: dict[int, tuple[float, float]]
    """By beam: a step of the decoder, and what each row adds."""
    tokens_per_word: float
    partials_lost: float
    """Share of partials that run on and show nothing."""
    service_share: float
    """Core seconds that a session takes beside decodes for each second of audio, on the cores that decode."""

    def batch_s(self, rows: Sequence[tuple[float, int]], *, beam: int) -> float:
        """Time for a batch. Each row is the length of its window and the steps of the decoder."""
        windows_s = [window_s for window_s, _ in rows]
        once_s, row_s = self._step(beam)
        return (
            sum(map(self._encode, windows_s))
            + self.project_s * (sum(windows_s) + max(windows_s))
            + self.row_s * len(rows)
            + (once_s + row_s * len(rows)) * max(steps for _, steps in rows)
        )

    def _encode(self, window_s: float) -> float:
        for (left, low_s), (right, high_s) in pairwise(self.encode_s):
            if window_s <= right:
                return low_s + (high_s - low_s) * (window_s - left) / (right - left)
        return self.encode_s[-1][1]

    def _step(self, beam: int) -> tuple[float, float]:
        """Between the beams of the table, straight lines."""
        if beam in self.step_s:
            return self.step_s[beam]
        (narrow, low), (wide, high) = min(self.step_s.items()), max(self.step_s.items())
        part = (beam - narrow) / (wide - narrow)
        return low[0] + (high[0] - low[0]) * part, low[1] + (high[1] - low[1]) * part


def cost_table(name: str) -> CostTable:
    """The table `name` of bench/costs, or the file at that path. Raises `BadTable`."""
    path = FOLDER / f"{name}.json"
    path = path if path.exists() else Path(name)
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        policy = {"small": SMALL, "large": LARGE}[fields.pop("window")]
        fields["encode_s"] = tuple((float(at), float(s)) for at, s in fields["encode_s"])
        fields["step_s"] = {int(beam): (float(a), float(b)) for beam, (a, b) in fields["step_s"].items()}
        return CostTable(name=path.stem, policy=policy, **fields)
    except OSError as error:
        raise BadTable(f"{path} can't be read: {error.strerror}; there are {_known()}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadTable(f"{path} is not a cost table: {error}") from None


def _known() -> str:
    return ", ".join(sorted(path.stem for path in FOLDER.glob("*.json")))
