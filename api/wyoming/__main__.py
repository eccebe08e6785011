"""`python -m api.wyoming`: the Wyoming server alone, without an edge beside it."""

import asyncio
import logging
import signal
import socket
import sys
from typing import Final

from api.audit import Audit
from api.following import look_forever
from api.listening import listen
from api.quota import live_quota
from api.rates import Rates
from api.session_desk import LiveParts, SessionDesk
from api.tenants import tenants_of
from api.wyoming.admitting import check_tenant
from api.wyoming.announcing import check_announcing
from api.wyoming.catalog import Catalog
from api.wyoming.server import WyomingServer
from shared.errors import StenoError
from shared.logs import configure
from shared.redis.audit import AuditStream
from shared.redis.connection import connect
from shared.redis.keys import Keys
from shared.redis.live import LiveFeed
from shared.redis.presence import Presence
from shared.redis.quotas import Turnstile
from shared.redis.sessions import SessionLog
from shared.settings import Settings, check_redis_is_given, load_settings
from shared.tasks import end_tasks

log = logging.getLogger("api.wyoming")

PORT: Final = 10300
"""Where Home Assistant looks for speech to text."""


async def serve(settings: Settings, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    client, keys = connect(settings.redis_url), Keys(settings.shards)
    feed, tenants = LiveFeed(client, keys), tenants_of(settings)
    live = LiveParts(
        sessions=SessionLog(client, keys, resume_s=settings.resume_s),
        feed=feed,
        presence=Presence(client),
        queue_s=settings.queue_s,
        resume_s=settings.resume_s,
        session_s_max=settings.session_s_max,
        quota=live_quota(tenants, client, keys, resume_s=settings.resume_s),
        rates=Rates(tenants, Turnstile(client, keys)),
        audit=Audit(AuditStream(client, length=settings.audit_entries)),
    )
    catalog = Catalog(settings.model)
    server = WyomingServer(
        SessionDesk(live),
        catalog,
        listener,
        host=settings.host,
        name=settings.wyoming_name,
        tenant=settings.wyoming_tenant,
    )
    stop = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    stopping = asyncio.create_task(stop.wait())
    work = (feed.run_forever(), server.run_forever(), look_forever(tenants.look))
    serving = [asyncio.create_task(part) for part in work]
    try:
        done, _ = await asyncio.wait([stopping, *serving], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end_tasks([stopping, *serving])
        await client.aclose()


def main() -> int:
    """Exit status 2 for what the operator can mend."""
    try:
        settings = load_settings(
            check_redis_is_given,
            lambda settings: check_announcing(settings.wyoming_name),
            check_tenant,
            tenants_of,
        )
        configure(settings.log_level, as_json=settings.log_format == "json")
        port = settings.wyoming_port or PORT
        with listen(settings.host, port, variable="STENO_WYOMING_PORT") as listener:
            asyncio.run(serve(settings, listener))
    except StenoError as error:
        sys.stderr.write(f"steno wyoming: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
