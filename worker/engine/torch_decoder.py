"""The decoder of a Whisper of the transformers library, step by step, for searches."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.engine.backend import States
from worker.engine.search import BeamSearch, Expected


@dataclass(frozen=True, slots=True)
class Rules:
    """What may not be said, and how it is chosen."""

    suppress: Sequence[int]
    """Tokens never said."""
    suppress_first: Sequence[int]
    """Tokens that no text begins with."""
    no_repeat: int
    """The length in tokens that is not said twice; 0 for none."""
    temperature: float
    """0: the likeliest; else drawn at random."""


class TorchDecoder:
    """The decoder of `model`. Keeps nothing between calls, which may come from several threads."""

    def __init__(self, torch: Any, model: Any) -> None:
        self._torch = torch
        self._model = model

    def run(
        self,
        searches: Sequence[BeamSearch],
        encoded: Sequence[States],
        prompts: Sequence[Sequence[int]],
        rules: Rules,
    ) -> None:
        """Bring all searches to their end: one for each window, behind a prompt each, all of one length."""
        torch = self._torch
        batch = _Batch(list(searches))
        states, given, cache = torch.cat(list(encoded)), self._tensor(prompts), None
        with torch.inference_mode():
            while batch.going:
                output = self._model(
                    encoder_outputs=(states,),
                    decoder_input_ids=given,
                    past_key_values=cache,
                    use_cache=True,
                )
                cache = output.past_key_values
                logits = self._allowed(output.logits[:, -1].float(), batch.said, rules)
                order, windows_stay = batch.advance(self._expected(logits, batch.wanted, rules.temperature))
                if not order:
                    return
                # What is heard is the same for all of a window's hypotheses, and large.
                moved = cache.self_attention_cache if windows_stay else cache
                moved.reorder_cache(self._tensor(order))
                states = states if windows_stay else states[self._tensor(order)]
                given = self._tensor([[tokens[-1]] for tokens in batch.said])

    def _allowed(self, logits: Any, said: Sequence[tuple[int, ...]], rules: Rules) -> Any:
        """Logits without what the rules forbid; changed in place."""
        never = -self._torch.inf
        logits[:, self._tensor(rules.suppress)] = never
        if not said[0]:
            logits[:, self._tensor(rules.suppress_first)] = never
        for row, tokens in enumerate(said):
            if repeating := _repeating(tokens, rules.no_repeat):
                logits[row, self._tensor(repeating)] = never
        return logits

    def _expected(self, logits: Any, wanted: int, temperature: float) -> list[Expected]:
        torch = self._torch
        logprobs = logits.log_softmax(-1)
        if temperature > 0:
            tokens = torch.multinomial((logits / temperature).softmax(-1), 1)
            values = logprobs.gather(-1, tokens)
        else:
            values, tokens = logprobs.topk(wanted)
        return [Expected(*row) for row in zip(tokens.tolist(), values.tolist(), strict=True)]

    def _tensor(self, values: Any) -> Any:
        return self._torch.as_tensor(values, device=self._model.device, dtype=self._torch.long)


class _Batch:
    """Searches that are decoded together, each with as many rows as it has hypotheses."""

    def __init__(self, searches: list[BeamSearch]) -> None:
        self.going = searches

    @property
    def wanted(self) -> int:
        return self.going[0].wanted

    @property
    def said(self) -> list[tuple[int, ...]]:
        """The tokens of each row."""
        return [tokens for search in self.going for tokens in search.live]

    def advance(self, expected: list[Expected]) -> tuple[list[int], bool]:
        """A step of all: which of the rows go on, in their new order, and whether each is still of the window
        that it was of."""
        before = [search for search in self.going for _ in search.live]
        order: list[int] = []
        first = 0
        for search in self.going:
            count = len(search.live)
            search.advance(expected[first : first + count])
            order += [first + parent for parent in search.parents]
            first += count
        self.going = [search for search in self.going if search.live]
        return order, [search for search in self.going for _ in search.live] == before


def _repeating(tokens: tuple[int, ...], length: int) -> list[int]:
    """Tokens that would say the last `length` tokens a second time."""
    if not length or len(tokens) < length:
        return []
    last = tokens[len(tokens) - length + 1 :]
    starts = range(len(tokens) - length + 1)
    return [tokens[at + length - 1] for at in starts if tokens[at : at + length - 1] == last]
