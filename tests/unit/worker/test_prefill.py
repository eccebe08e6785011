"""How prompts are laid out, and the vocabulary that makes CTranslate2 take them whole."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.engine.prefill import marked
from worker.engine.prompt import MARKER, Prompt, fitted_together

TOKENS = st.lists(st.integers(1, 50_000), max_size=120).map(tuple)
NAMES = ["!", "a", "b", "<|endoftext|>", "<|startoftranscript|>", "<|en|>"]


def prompt(earlier: tuple[int, ...], prefix: tuple[int, ...]) -> Prompt:
    return Prompt((5, 6), earlier, task=(50258, 50259, 50359, 50363), prefix=prefix, previous=50361)


@given(TOKENS, TOKENS)
def test_the_marker_is_the_first_of_its_kind_and_the_prefix_comes_last(
    earlier: tuple[int, ...], prefix: tuple[int, ...]
) -> None:
    tokens = prompt(earlier, prefix).tokens
    assert tokens.index(MARKER) == 1
    assert tuple(tokens[len(tokens) - len(prefix) :]) == prefix


@given(TOKENS, TOKENS)
def test_fitting_takes_only_from_the_beginning_of_earlier_text(
    earlier: tuple[int, ...], prefix: tuple[int, ...]
) -> None:
    fitted = prompt(earlier, prefix).fitted()
    assert (fitted.hints, fitted.prefix) == ((5, 6), prefix)
    assert earlier[len(earlier) - len(fitted.earlier) :] == fitted.earlier
    assert len(earlier) - len(fitted.earlier) < 16


@given(st.integers(16, 96), st.integers(0, 60))
def test_prompts_with_earlier_text_come_in_few_lengths(earlier: int, prefix: int) -> None:
    fitted = prompt((7,) * earlier, (8,) * prefix).fitted()
    assert (len(fitted.hints) + len(fitted.earlier) + len(fitted.prefix)) % 16 == 0


@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=2, max_size=8))
def test_prompts_that_are_decoded_together_are_of_few_lengths_and_lose_only_earlier_text(
    texts: list[tuple[tuple[int, ...], tuple[int, ...]]],
) -> None:
    prompts = [prompt(earlier, prefix) for earlier, prefix in texts]
    fitted = fitted_together(prompts)
    for before, after in zip(prompts, fitted, strict=True):
        assert (after.hints, after.task, after.prefix) == (before.hints, before.task, before.prefix)
        assert before.earlier[len(before.earlier) - len(after.earlier) :] == after.earlier
    # No two lengths could be one: some prompt of the longer needs more than the shorter is.
    lengths = sorted({len(one.tokens) for one in fitted})
    for short, long in itertools.pairwise(lengths):
        assert any(len(one.tokens) - len(one.earlier) > short for one in fitted if len(one.tokens) == long)


def test_a_prompt_alone_is_fitted_as_always() -> None:
    one = prompt((7,) * 50, (8,) * 3)
    assert fitted_together([one]) == [one.fitted()]


@pytest.mark.parametrize("name", ["vocabulary.json", "vocabulary.txt"])
def test_a_marked_model_differs_in_two_names(tmp_path: Path, name: str) -> None:
    text = json.dumps(NAMES) if name.endswith("json") else "\n".join(NAMES) + "\n"
    (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "model.bin").write_bytes(b"weights")
    with marked(tmp_path) as folder:
        changed = (folder / name).read_text(encoding="utf-8")
        names = json.loads(changed) if name.endswith("json") else changed.split("\n")[: len(NAMES)]
        assert names == ["<|startoftranscript|>", "a", "b", "<|endoftext|>", "!", "<|en|>"]
        assert (folder / "model.bin").read_bytes() == b"weights"
    assert not folder.exists()
    assert (tmp_path / name).read_text(encoding="utf-8") == text


def test_a_directory_that_is_no_model_says_so(tmp_path: Path) -> None:
    (tmp_path / "vocabulary.txt").write_text("a\nb\n", encoding="utf-8")
    with pytest.raises(ValueError, match="startoftranscript"), marked(tmp_path):
        pass
