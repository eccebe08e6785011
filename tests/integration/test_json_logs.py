"""Logs as JSON: every line is an object, sessions and jobs are named, and nothing says what was said."""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from client import JobOptions, Jobs
from tests.support.data import clip
from tests.support.live import transcribe
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio


@pytest.mark.slow
async def test_a_session_and_a_job_are_found_in_them_without_their_words(tmp_path: Path) -> None:
    settings = {"log_format": "json", "log_level": "debug"}
    with Service.running(tmp_path, engine="scripted", **settings) as service:
        session = await transcribe(service.ws_url, spoken(), language="en")
        async with Jobs(service.url) as jobs:
            job = await jobs.submit(clip("en_stew").path, JobOptions(language="en"))
            await jobs.wait(job.id)
            transcript = await jobs.result(job.id, "txt")
        for name in ("api", "worker", "worker.jobs"):
            await asyncio.to_thread(service.end, name, signal.SIGTERM)
        written = service.log.read_text()
    lines: list[dict[str, Any]] = [json.loads(line) for line in written.splitlines()]
    assert all({"at", "level", "logger", "message"} <= set(line) for line in lines)

    name = session.of("ready")[0]["session"]
    messages = [line["message"] for line in lines if line.get("session") == name]
    assert {"session opened", "session claimed"} <= set(messages)
    assert "file transcribed" in [line["message"] for line in lines if line.get("job") == job.id]

    texts = [final["text"] for final in session.of("final")] + [str(transcript)]
    words = {word for text in texts for word in text.split() if len(word) > 3}
    assert words
    assert [word for word in words if word in written] == []


async def test_an_exception_is_one_line() -> None:
    code = (
        "import logging, pathlib; from shared.logs import configure; configure('info', as_json=True)\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError:\n"
        "    logging.getLogger('api').exception('broke', extra={'path': pathlib.Path('/x')})"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.PIPE)
    _, stderr = await process.communicate()
    (line,) = stderr.decode().splitlines()
    said = json.loads(line)
    assert (said["level"], said["logger"], said["message"], said["path"]) == ("error", "api", "broke", "/x")
    assert said["error"].endswith("ZeroDivisionError: division by zero")
