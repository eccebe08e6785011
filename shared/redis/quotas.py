"""How many live sessions a tenant has, counted over all edges."""

from shared.redis.connection import AsyncRedis
from shared.redis.keys import Keys
from shared.redis.scripts import Scripts


class TenantPlaces:
    """Places for sessions: at most `limit` for each tenant at any moment, however many edges ask at once. A
    place that is not kept is free again after `held_s`."""

    def __init__(self, client: AsyncRedis, keys: Keys, *, limit: int, held_s: float) -> None:
        self._client = client
        self._scripts = Scripts(client)
        self._keys = keys
        self.limit = limit
        self.held_s = held_s

    async def occupy(self, tenant: str, session: str) -> bool:
        """Take a place, or keep the one that the session has. Returns whether it has one now."""
        name = self._keys.tenant_sessions(tenant)
        return bool(
            await self._scripts.run("occupy", [name], [session, self.limit, max(1, round(self.held_s))])
        )

    async def vacate(self, tenant: str, session: str) -> None:
        """Give the session's place up."""
        await self._client.zrem(self._keys.tenant_sessions(tenant), session)
