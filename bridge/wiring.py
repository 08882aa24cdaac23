"""The only place that builds stores, services and the broker's names from the settings, and closes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bridge.broker.topology import Topology
from bridge.domain.completions import Rules, verb_iris
from bridge.services.log import Log
from bridge.services.members import MemberRecords
from bridge.services.periods import Periods
from bridge.services.recording import Recording
from bridge.services.stores import Stores
from bridge.settings import Settings, SettingsError
from bridge.store.database import Database
from schemas.xapi import VERBS

VOIDED = frozenset(VERBS["voided"])


@dataclass(frozen=True, slots=True)
class Services:
    """Every use case family, over one set of stores."""

    stores: Stores
    recording: Recording
    members: MemberRecords
    periods: Periods
    log: Log


def rules(settings: Settings) -> Rules:
    """Put the settings that decide what counts into the domain's terms; raises ``SettingsError``."""
    try:
        wanted = verb_iris(settings.verbs)
    except ValueError as error:
        raise SettingsError(f"These settings are wrong:\n  BRIDGE_VERBS: {error}") from None
    return Rules(
        verbs=wanted - VOIDED,
        voiding_verbs=wanted & VOIDED,
        prefixes=settings.catalogue_prefixes,
        types=frozenset(settings.catalogue_types),
        zone=settings.zone,
        go_live=settings.auto_log_from,
        skew=timedelta(seconds=settings.clock_skew),
        languages=settings.languages,
    )


def topology(settings: Settings) -> Topology:
    """Return the broker's names."""
    return Topology(settings.amqp_namespace, settings.verbs)


@asynccontextmanager
async def services(settings: Settings) -> AsyncGenerator[Services]:
    """Build the services over an open store, and close it at the end; nothing is asked of the store yet."""
    database = Database(settings)
    try:
        yield build(database, settings)
    finally:
        database.close()


def build(database: Database, settings: Settings) -> Services:
    """Build the services over a database."""

    def today() -> date:
        return datetime.now(settings.zone).date()

    stores = Stores.over(database)
    recording = Recording(stores, rules(settings))
    periods = Periods(stores, today)
    return Services(stores, recording, MemberRecords(stores, recording), periods, Log(stores, periods))
