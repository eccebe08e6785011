"""`steno up`: the whole service on this machine, until it is stopped."""

import asyncio
import json
from typing import Annotated

import typer

from client.cli import flags
from client.cli.interrupt import raise_on_terminate, run_until_stopped
from shared.logs import configure
from shared.settings import Settings, load_settings


def up(
    host: flags.Host = None,
    port: flags.Port = None,
    model: flags.Model = None,
    workers: flags.Workers = None,
    device: flags.Device = None,
    redis_url: flags.RedisUrl = None,
    data_dir: flags.DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Say as a line of JSON that it is ready.")] = False,
) -> None:
    """Start Redis (embedded unless one is given), the edge and the workers; Ctrl-C stops them all."""
    settings = load_settings(
        host=host,
        port=port,
        model=model,
        workers=workers,
        device=device,
        redis_url=redis_url,
        data_dir=data_dir,
    )
    configure(settings.log_level, as_json=settings.log_format == "json")
    raise_on_terminate()
    from client.cli import stack

    stack.check(settings)
    run_until_stopped(lambda hurry: _serve(settings, hurry, as_json=as_json))


async def _serve(settings: Settings, hurry: asyncio.Event, *, as_json: bool) -> None:
    from client.cli import stack

    async with stack.running(settings, hurry=hurry) as service:
        if as_json:
            ready = {"url": service.address, "model": settings.model, "workers": settings.workers}
            print(json.dumps({**ready, "pids": service.pids}), flush=True)
            await service.watch_forever()
        count = f"{settings.workers} worker{'' if settings.workers == 1 else 's'}"
        print(
            f"Steno is ready on {service.address} (model {settings.model}, {count}). Ctrl-C stops it.",
            flush=True,
        )
        await service.watch_forever()
