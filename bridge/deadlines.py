"""Limits on how long something may take, told as ``Unavailable``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bridge.errors import Unavailable
from bridge.texts import Text

TOO_SLOW = Text("This took longer than {seconds} s; try again.")


@asynccontextmanager
async def deadline(seconds: float | None, message: Text) -> AsyncGenerator[asyncio.Timeout]:
    """Raise ``Unavailable`` with a message that has a place for ``seconds`` when the block takes longer.

    ``None`` is no limit. The clock may be set anew meanwhile.
    """
    start = asyncio.get_running_loop().time()
    clock = asyncio.timeout(seconds)
    try:
        async with clock:
            yield clock
    except TimeoutError:
        if clock.expired():
            limit = (clock.when() or start) - start
            raise Unavailable(message.filled(seconds=float(f"{limit:.3g}"))) from None
        raise
