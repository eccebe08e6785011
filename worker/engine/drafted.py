"""Two models on one device: a small one for drafts of a busy device's partials, the other for all else."""

from collections.abc import Sequence
from dataclasses import replace

from worker.core.decode import DecodeRequest, DecodeResult, EngineInfo, Kind
from worker.engine.api import Engine


class DraftedEngine:
    """An engine whose tight partials a smaller one decodes, if it can. It is known as the main one."""

    def __init__(self, main: Engine, draft: Engine) -> None:
        self._main = main
        self._draft = draft

    @property
    def info(self) -> EngineInfo:
        """Capabilities of the main engine."""
        return self._main.info

    def prepare(self) -> None:
        """Warm up both."""
        self._main.prepare()
        self._draft.prepare()

    def decode(self, batch: Sequence[DecodeRequest]) -> list[DecodeResult]:
        """See `Engine.decode`."""
        results: dict[int, DecodeResult] = {}
        drafts = [i for i, request in enumerate(batch) if self._can_draft(request)]
        others = [i for i in range(len(batch)) if i not in drafts]
        for engine, indexes in ((self._draft, drafts), (self._main, others)):
            if indexes:
                answers = engine.decode([batch[i] for i in indexes])
                if engine is self._draft:
                    answers = [replace(answer, draft=True) for answer in answers]
                results.update(zip(indexes, answers, strict=True))
        return [results[i] for i in range(len(batch))]

    def close(self) -> None:
        """Give the device back."""
        self._draft.close()
        self._main.close()

    def _can_draft(self, request: DecodeRequest) -> bool:
        info = self._draft.info
        return (
            request.kind is Kind.PARTIAL
            and request.tight
            and not request.detect
            and request.language in info.languages
            and (request.task == "transcribe" or info.multilingual)
        )
