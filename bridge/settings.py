"""Every setting, read from ``BRIDGE_…`` environment variables or ``.env`` and checked at start, every fault at once.

A value may be given as a file: ``BRIDGE_MONGO_URL_FILE=/run/secrets/mongo`` reads that file. Lists are comma-separated.
``docs/settings.md`` is made from these fields (``make documents``), so the words here are the documentation.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from bridge.errors import SettingsError

PREFIX = "BRIDGE_"


def _split(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""A comma-separated list; blanks around a name and empty names are dropped."""


_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")
_DEFAULT_PORTS = {("http", "80"), ("https", "443")}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SERVER_SCHEMES = {
    "mongo_url": ("mongodb://", "mongodb+srv://"),
    "amqp_url": ("amqp://", "amqps://"),
}


def _check_origin(origin: str) -> None:
    """Raise ``ValueError`` for what no browser sends as ``Origin``: scheme, host and port alone, as it writes them."""
    parts = _ORIGIN.fullmatch(origin)
    if parts is None:
        raise ValueError(
            f"no browser sends this origin: {origin!r}; name each as https://portal.example.org, with its port if it "
            "has one, in lower case (xn--… for other letters), no path and no slash at the end; * is not offered"
        )
    if (parts[1], parts[3]) in _DEFAULT_PORTS or int(parts[3] or 1) > 65535:
        raise ValueError(f"no browser sends this port: {origin!r}; leave 80 of http and 443 of https away")


class _FileSource(PydanticBaseSettingsSource):
    """Reads ``BRIDGE_X_FILE`` for any setting X, so that a secret need not stand in the environment."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - its signature
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        if path is None or f"{field_name}_file" in self.settings_cls.model_fields:
            return None, field_name, False
        return Path(path).read_text(encoding="utf-8").strip(), field_name, False

    def __call__(self) -> dict[str, Any]:
        values = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in values.items() if value is not None}


class Settings(BaseSettings):
    """The service's configuration. Durations are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True)

    mongo_url: SecretStr = Field(SecretStr("mongodb://127.0.0.1:27017"), description="MongoDB connection string.")
    mongo_database: str = Field("cpd", min_length=1, max_length=60, description="Database name.")
    mongo_timeout: float = Field(5.0, gt=0, description="Seconds before a store that does not answer counts as away.")
    amqp_url: SecretStr = Field(
        SecretStr("amqp://guest:guest@127.0.0.1:5672/"), description="RabbitMQ connection string."
    )
    amqp_namespace: str = Field(
        "", pattern=r"^[a-z0-9.-]*$", description="Put before every exchange and queue name, to share one virtual host."
    )
    amqp_declare: bool = Field(
        True, description="Declare exchanges and queues; `false` for a user that may not: they must be there."
    )
    completions_queue: str = Field(
        "cpd.completions",
        pattern=r"^[a-z0-9.-]+$",
        description="The queue this worker takes statements from: its share, when a queue is split by member.",
    )
    event_source: str = Field(
        "urn:cpd-bridge",
        pattern=r"^\S+$",
        description="The `source` of our CloudEvents: a URI that names this service.",
    )
    http_host: str = Field("127.0.0.1", description="Address the API listens on.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    http_connections: int = Field(
        1000, ge=10, description="Connections at once; one that waits for nothing makes room for a new one."
    )
    http_head_timeout: float = Field(15.0, gt=0, le=300, description="Seconds the head of a request may take to come.")
    http_idle_timeout: float = Field(
        75.0, gt=0, description="Seconds a connection is kept open without a request; more than the proxy keeps it."
    )
    metrics_port: int | None = Field(None, ge=0, le=65535, description="Port for the worker's `/metrics` and health.")
    public_url: str | None = Field(None, description="Where callers reach the API; shown in the OpenAPI document.")

    auth_issuer: str = Field("", description="The `iss` a token must have.")
    auth_audience: str = Field("cpd-bridge", description="The `aud` a token must have.")
    auth_jwks_url: str | None = Field(
        None, pattern=r"^https?://", description="Where the issuer publishes its JWK set."
    )
    auth_key_file: Path | None = Field(None, description="Public key (PEM, JWK or JWK set) when there is no JWKS URL.")
    auth_leeway: int = Field(30, ge=0, le=300, description="Clock skew allowed on a token's times.")

    catalogue_prefixes: Names = Field((), description="IRI prefixes of the catalogue; empty takes any activity.")
    catalogue_types: Names = Field((), description="Activity types of the catalogue; empty takes any type.")
    verbs: Names = Field(
        ("completed", "voided"),
        description="Verbs to take: names (`completed`, `passed`, `satisfied`, `voided`) or IRIs.",
    )
    time_zone: str = Field("Europe/London", description="Zone that decides on which day something was done.")
    languages: Names = Field(
        ("en-GB", "en"), description="Preferred languages, best first, for titles and descriptions."
    )
    auto_log_from: AwareDatetime | None = Field(
        None, description="Completions before this RFC 3339 time are ignored; unset takes all."
    )
    clock_skew: int = Field(86_400, ge=0, description="How far ahead of now a timestamp may lie before it is rejected.")

    batch_size: int = Field(100, ge=1, le=5000, description="Messages the worker takes at once, at most.")
    max_statement_bytes: int = Field(
        8 * 2**20, ge=1024, description="Largest message body, packed or unpacked; RabbitMQ 4 takes 16 MiB."
    )
    max_attempts: int = Field(8, ge=1, description="Tries of a statement that fails by itself, before `exhausted`.")
    shutdown_timeout: float = Field(20.0, gt=0, description="Seconds to settle what is in hand on SIGTERM.")

    max_body_bytes: int = Field(1 * 2**20, ge=1024, description="Largest JSON body the API takes.")
    request_timeout: float = Field(30.0, gt=0, description="Seconds an API call may take.")
    rate_limit: str = Field("600/minute", description="Calls per subject; empty turns the limit off.")
    cors_origins: Names = Field(
        (), description="Origins that a browser may call from, each as `https://portal.example.org`."
    )

    transfer_timeout: float = Field(300.0, gt=0, le=3000, description="Seconds an upload or a download may take.")
    evidence_max_bytes: int = Field(10 * 2**20, ge=1024, description="Largest file of evidence.")
    evidence_quota_bytes: int = Field(500 * 2**20, ge=1024, description="Evidence that one member may keep, in all.")
    clamd_url: str | None = Field(
        None,
        pattern=r"^(tcp://[^/\s]+:[0-9]{1,5}|unix://(/[^\s]+))$",
        description="Virus scanner for evidence: `tcp://host:port` or `unix:///path`; unset scans nothing.",
    )
    clamd_timeout: float = Field(20.0, gt=0, le=50, description="Seconds the scanner may take for a file.")
    import_max_rows: int = Field(1000, ge=1, le=10_000, description="Rows of a CSV import.")
    import_max_bytes: int = Field(5 * 2**20, ge=1024, description="Largest CSV import.")

    export_workers: int = Field(2, ge=1, le=32, description="PDFs made at once, each in a process of its own.")
    export_waiting: int = Field(20, ge=0, le=1000, description="Callers that may wait for their PDF; others get 503.")
    export_timeout: float = Field(120.0, gt=0, le=600, description="Seconds that making a PDF may take.")
    export_memory_bytes: int = Field(
        2 * 2**30, ge=2**30, description="Memory of a process that makes PDFs; it bounds how long a booklet may get."
    )
    export_streams: int = Field(20, ge=1, le=1000, description="ZIP exports under way at once; others get 503.")
    export_share: int = Field(
        2,
        ge=1,
        description="Of each kind that one subject may have at once; further PDFs wait, a further ZIP gets 429.",
    )
    export_stream_timeout: float = Field(1800.0, gt=0, description="Seconds that fetching a ZIP export may take.")

    forms_dir: Path | None = Field(
        None, description="Directory with the body's own forms, `plan-1.json` and `log-1.json`; unset uses ours."
    )
    targets_file: Path | None = Field(
        None,
        description="JSON file with what the body asks of a year (`schemas/targets`), shown to members as guidance; "
        "unset shows nothing.",
    )
    lrs_credentials_file: Path | None = Field(
        None, description="Who may use the LRS at `/xapi/` (docs/decisions/0009); unset does not serve it."
    )
    lrs_rate_limit: str = Field("12000/minute", description="Calls per LRS credential; empty turns the limit off.")
    lrs_max_body_bytes: int = Field(16 * 2**20, ge=1024, description="Largest batch of statements over HTTP.")
    lrs_max_document_bytes: int = Field(
        8 * 2**20, ge=1024, le=15 * 2**20, description="Largest document of the state and profile resources."
    )
    lrs_max_attachment_bytes: int = Field(100 * 2**20, ge=1024, description="Largest attachment of a statement.")

    audit_due_days: int = Field(42, ge=1, le=366, description="Days a selected member has to submit (six weeks).")
    audit_return_days: int = Field(14, ge=1, le=366, description="Days a member has at least after a return.")
    audit_rate: float = Field(0.026, gt=0, lt=1, description="Fraction of renewing members that a sample draws.")
    audit_outcomes: Names = Field(
        ("met", "met_with_advice", "not_met"), min_length=1, description="Outcomes that a case may close with."
    )
    period_ending_days: int = Field(30, ge=1, le=365, description="Days before its end that `period.ending` is sent.")

    smtp_url: SecretStr | None = Field(
        None,
        description="Mail server for audit notices: `smtp://…` or `smtps://user:password@host:465`; unset is none.",
    )
    smtp_tls: Literal["if_offered", "required", "never"] = Field(
        "if_offered", description="STARTTLS on `smtp://`; a password is never sent without TLS, but on the loopback."
    )
    smtp_from: str = Field("My CPD <no-reply@localhost>", description="Sender of audit notices.")
    smtp_timeout: float = Field(30.0, gt=0, le=300, description="Seconds a mail server may take for one answer.")
    portal_url: str | None = Field(None, description="Where members sign in; the link in audit notices.")

    erasure_key: SecretStr | None = Field(
        None,
        min_length=32,
        description="Secret of the tombstones that erased members leave (docs/decisions/0012); never change it. "
        "Unset uses a random one in the database.",
    )

    backup_recipients: Names = Field(
        (), description="Public keys that `backup` encrypts for: `age1…`, or SSH keys; empty does not encrypt."
    )
    backup_identity_file: Path | None = Field(None, description="The private key that `restore` opens backups with.")
    retention_left_days: int | None = Field(None, ge=0, description="Days a record is kept after its member left.")
    retention_deleted_days: int = Field(
        30, ge=30, description="Days that what a member deleted is kept; for 30 it can be restored."
    )
    retention_statements_days: int | None = Field(None, ge=1, description="Days the text of a statement is kept.")
    retention_ignored_days: int | None = Field(
        90, ge=1, description="The same for one that is not for the log: as long as `reconsider` can judge it again."
    )
    retention_parked_days: int | None = Field(730, ge=1, description="Days a completion of an unknown actor waits.")
    retention_dead_letters_days: int | None = Field(365, ge=1, description="Days a dead letter is kept.")
    retention_lrs_days: int | None = Field(None, ge=1, description="Days the LRS keeps statements and documents.")
    retention_audit_days: int | None = Field(None, ge=1, description="Days an audit case is kept after its end.")
    retention_grants_days: int | None = Field(730, ge=1, description="Days a support grant is kept after its end.")
    retention_notices_days: int | None = Field(365, ge=1, description="Days it is kept which notices were sent.")

    help_url: str | None = Field(None, description="Help page, shown to the member.")
    privacy_url: str | None = Field(None, description="Privacy notice.")
    survey_url: str | None = Field(None, description="Feedback survey.")

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log line written."
    )
    local_dir: Path = Field(Path(".local"), description="Where `cpd-bridge dev` keeps its data and development key.")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no such time zone: {value}; use an IANA name such as Europe/London") from error
        return value

    @field_validator(*_SERVER_SCHEMES)
    @classmethod
    def _server(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        schemes = _SERVER_SCHEMES[str(info.field_name)]
        if not value.get_secret_value().startswith(schemes):
            raise ValueError(f"it does not begin with {' or '.join(schemes)}")
        return value

    @field_validator("catalogue_prefixes", "catalogue_types")
    @classmethod
    def _iris(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for iri in value:
            if not _SCHEME.match(iri):
                raise ValueError(f"no activity begins with this: {iri!r}; name each with its scheme, as in https://…")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            _check_origin(origin)
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The zone that turns a time into a local day (decision 9)."""
        return ZoneInfo(self.time_zone)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings' signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then ``…_FILE``, then ``.env``."""
        return init_settings, env_settings, _FileSource(settings_cls), dotenv_settings


def load(**overrides: Any) -> Settings:
    """Read and check the settings; raises ``SettingsError`` that names every fault."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = [f"  {PREFIX}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("These settings are wrong:\n" + "\n".join(faults)) from None
    except OSError as error:
        raise SettingsError(f"A file that a setting names cannot be read: {error.filename}") from None


def unknown_names() -> list[str]:
    """Return the names in the environment that look like settings and are none."""
    names = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    set_names = {name for name in os.environ if name.startswith(PREFIX)}
    return sorted(name for name in set_names if not names & {name, name.removesuffix("_FILE")})
