"""Word times by the cross-attention of the alignment heads, as faster-whisper does it."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final, cast

from faster_whisper import WhisperModel
from faster_whisper.transcribe import merge_punctuations

from shared.events import Word
from worker.engine.encoder import FRAME_SAMPLES
from worker.engine.prefill import joined
from worker.engine.rows import APPENDED, Output, Row, behind, read_word

_PREPENDED: Final = "\"'“¿([{-"


def word_times(
    whisper: WhisperModel, rows: Sequence[Row], outputs: Sequence[Output]
) -> list[tuple[Word, ...]]:
    """The words of each row that wants them, behind its left context; none where the text is not usable. Rows
    that fit together are aligned in one call."""
    words: list[tuple[Word, ...]] = [()] * len(rows)
    calls: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for i, (row, output) in enumerate(zip(rows, outputs, strict=True)):
        if row.request.words and output.tokens and not output.runaway:
            calls[row.frames, row.tokenizer.language_code].append(i)
    for indexes in calls.values():
        found = whisper.find_alignment(
            rows[indexes[0]].tokenizer,
            cast(Any, [list(outputs[i].tokens) for i in indexes]),
            joined([rows[i].encoded for i in indexes]),
            cast(Any, [_own_frames(rows[i]) for i in indexes]),
        )
        for i, alignment in zip(indexes, cast(Any, found), strict=True):
            merge_punctuations(alignment, _PREPENDED, APPENDED)
            read = [read_word(item) for item in alignment if item["word"].strip()]
            words[i] = behind(rows[i].request.left, read)
    return words


def _own_frames(row: Row) -> int:
    return min(row.frames, max(2, len(row.request.audio) // FRAME_SAMPLES))
