"""A form is read as it comes: the same wherever the network cuts it, and never whole in memory."""

import asyncio
import random
from collections.abc import AsyncGenerator, Iterable
from typing import Any

import pytest
from starlette.requests import Request

from api import uploads
from api.uploads import Form, FormRules, read_form
from shared.errors import BadRequest, StenoError, TooLarge, UploadStalled

pytestmark = pytest.mark.anyio
HEAD = b'--x\r\nContent-Disposition: form-data; name="language"\r\n\r\nde\r\n'
FILE_HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a \xc3\xbc.wav"\r\n\r\n'
END = b"\r\n--x--\r\n"


def request(chunks: Iterable[bytes]) -> Request:
    waiting = iter(chunks)

    async def receive() -> dict[str, Any]:
        chunk = next(waiting, None)
        return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

    headers = [(b"content-type", b"multipart/form-data; boundary=x")]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def read(chunks: Iterable[bytes], *, bytes_max: int = 10**9) -> tuple[Form, list[bytes]]:
    pieces: list[bytes] = []

    async def write(piece: bytes) -> None:
        pieces.append(piece)

    form = await read_form(request(chunks), FormRules(known=("language",), bytes_max=bytes_max), write)
    return form, pieces


@pytest.mark.parametrize("seed", range(5))
async def test_a_form_is_the_same_wherever_it_is_cut(seed: int) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    # What looks like the end of the part, in the middle of it.
    data = rng.randbytes(5000) + b"\r\n--" + rng.randbytes(100) + b"\r\n--y--\r\n" + rng.randbytes(5000)
    body = HEAD + FILE_HEAD + data + END
    cuts = sorted(rng.randrange(len(body)) for _ in range(200))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    form, pieces = await read(chunks)
    assert form == Form(fields={"language": "de"}, file_name="a ü.wav")
    assert b"".join(pieces) == data


async def test_a_large_file_is_handed_on_in_pieces() -> None:
    chunk, count = bytes(64 * 1024), 200
    form, pieces = await read([FILE_HEAD, *([chunk] * count), END])
    assert form.file_name is not None
    assert sum(map(len, pieces)) == len(chunk) * count
    assert max(map(len, pieces)) <= 1024**2 + len(chunk)


async def test_what_is_over_its_limit_is_not_read_to_its_end() -> None:
    for endless in ([FILE_HEAD], [b'--x\r\nContent-Disposition: form-data; name="language"\r\n\r\n']):
        sent = 0

        def chunks(head: list[bytes] = endless) -> Iterable[bytes]:
            nonlocal sent
            yield from head
            while True:
                sent += 10_000
                yield bytes(10_000)

        with pytest.raises(TooLarge):
            await read(chunks(), bytes_max=100_000)
        assert sent < 300_000


@pytest.mark.parametrize(
    "body", [b"", HEAD, HEAD + FILE_HEAD, HEAD + FILE_HEAD + b"abc", b"nonsense", b"--y\r\n"], ids=range(6)
)
async def test_a_form_that_is_cut_off_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        await read([body])


async def test_random_bytes_are_refused_and_nothing_worse() -> None:
    rng = random.Random(11)
    body = HEAD + FILE_HEAD + b"abc" + END
    for _ in range(300):
        broken = bytearray(body)
        for _ in range(rng.randrange(1, 6)):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        try:
            await read([bytes(broken)])
        except StenoError:
            continue


async def _nothing_more() -> AsyncGenerator[dict[str, object]]:
    yield {"type": "http.request", "body": b"a", "more_body": True}
    await asyncio.Event().wait()


async def test_a_body_that_trickles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "PACE_S", 0.02)
    messages = _nothing_more()
    slow = Request({"type": "http", "method": "POST", "headers": []}, lambda: anext(messages))
    with pytest.raises(UploadStalled):
        async for _ in uploads.body_of(slow):
            pass


async def test_a_lenient_form_leaves_out_what_is_not_known() -> None:
    taken = bytearray()

    async def write(data: bytes) -> None:
        taken.extend(data)

    parts = [
        ("audio", b"RIFF", None),
        ("model", b"whisper-1", None),
        ("reference", b"x" * 200_000, None),
        ("list[]", b"a", None),
        ("list[]", b"b", None),
        ("other", b"bytes", "other.bin"),
    ]
    rules = FormRules(known=("model", "list[]"), bytes_max=10, file="audio", strict=False)
    form = await read_form(request([_body(parts)]), rules, write)
    assert bytes(taken) == b"RIFF"
    assert form.file_name == ""
    assert form.items == [("model", "whisper-1"), ("list[]", "a"), ("list[]", "b")]


def _body(parts: list[tuple[str, bytes, str | None]]) -> bytes:
    body = b""
    for name, value, file in parts:
        named = f'; filename="{file}"' if file else ""
        head = f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
        body += head.encode() + value + b"\r\n"
    return body + b"--x--\r\n"
