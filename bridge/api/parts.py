"""The services that resources ask for, by typed key, and the list of resources."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from bridge.services.log import Log
from bridge.services.members import MemberRecords
from bridge.services.periods import Periods

MEMBERS: Final = web.AppKey("members", MemberRecords)
PERIODS: Final = web.AppKey("periods", Periods)
LOG: Final = web.AppKey("log", Log)
