"""The official Python SDK: `openai_sdk.py URL KEY RAW WAV`. Prints what it gave as one line of JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import openai

url, key, _raw, path = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key=key)


def create(**options: Any) -> Any:
    with Path(path).open("rb") as file:
        return client.audio.transcriptions.create(file=file, **({"model": "whisper-1"} | options))


found: dict[str, Any] = {
    "json": create(language="en", prompt="A talk.", temperature=0).text,
    "text": create(response_format="text"),
    "srt": create(response_format="srt"),
    "vtt": create(response_format="vtt"),
    "verbose": create(
        response_format="verbose_json", timestamp_granularities=["word", "segment"]
    ).model_dump(),
    "diarized": create(
        model="gpt-4o-transcribe-diarize", response_format="diarized_json", chunking_strategy="auto"
    ).model_dump(),
    "logprobs": create(model="gpt-4o-mini-transcribe", include=["logprobs"]).model_dump()["logprobs"],
    "stream": [event.model_dump() for event in create(model="gpt-4o-transcribe", stream=True)],
    "models": [model.id for model in client.models.list()],
    "model": client.models.retrieve("Systran/faster-whisper-tiny.en").id,
    "errors": {},
}
for name, options in {"model": {"model": "nothing-1"}, "format": {"response_format": "docx"}}.items():
    try:
        create(**options)
    except openai.APIStatusError as error:
        found["errors"][name] = [type(error).__name__, error.code, error.param, error.type]
try:
    openai.OpenAI(base_url=f"{url}/v1", api_key="not-this-one").models.list()
except openai.AuthenticationError as error:
    found["errors"]["key"] = [type(error).__name__, error.code, error.param, error.type]
print(json.dumps(found))
