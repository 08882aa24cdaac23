"""The whole service on development services, as ``cpd-bridge dev`` and the demo run it."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.logs import NOTHING_COUNTS
from bridge.settings import PREFIX, Settings
from bridge.tokens import DEV_ISSUER, PUBLIC_NAME, dev_key, dev_token
from deploy.dev.client import call, is_ready
from deploy.dev.ports import free_port, is_free
from deploy.dev.processes import Process, run
from deploy.dev.samples import CATALOGUE_PREFIX, TARGETS_FILE, members
from deploy.dev.service import ServiceMissing
from deploy.dev.services import DevServices, select_services, side_by_side

STAFF_ROLES = ("platform", "register", "support", "privacy", "ops")
_CLI = Path(sys.executable).parent / "cpd-bridge"
_START_WITHIN = 60.0  # seconds
_COMMAND_WITHIN = 60.0  # seconds
_LOOK_EVERY = 2.0  # seconds between two looks at the worker's log
_STOP_WITHIN = 5.0  # seconds on top of what the service itself takes to settle what is in hand


@dataclass(frozen=True)
class Stack:
    """The running service. ``environment`` is what its processes, and further ``cpd-bridge`` commands, are given."""

    settings: Settings
    services: DevServices
    environment: Mapping[str, str]
    http_url: str
    api: Process
    worker: Process

    def cli(self, *arguments: str | Path, watched: bool = False) -> str:
        """Run ``cpd-bridge`` with ``arguments`` to its end and return its standard output; raises ``ProcessFailed``."""
        return run([_CLI, *arguments], self.environment, _COMMAND_WITHIN, watched=watched)

    def token(self, subject: str, role: str) -> str:
        """A token of the development key that this stack's API takes."""
        issuer = self.environment[f"{PREFIX}AUTH_ISSUER"]
        return dev_token(self.settings.local_dir, subject, [role], issuer, self.settings.auth_audience)

    def start(self) -> None:
        """Start everything, and return when it is ready; raises ``ProcessFailed`` or ``ServiceMissing``.

        The broker takes longest; meanwhile the store is prepared and the API, which needs no broker, begins.
        """
        _refuse_taken_port(self.settings.http_host, int(self.environment[f"{PREFIX}HTTP_PORT"]))
        side_by_side(self.services.broker.start, self._start_store_and_api)
        metrics_url = f"http://{self.settings.http_host}:{self.environment[f'{PREFIX}METRICS_PORT']}"
        side_by_side(
            lambda: self.api.wait_until(lambda: is_ready(self.http_url), _START_WITHIN),
            lambda: self.worker.start(lambda: is_ready(metrics_url), _START_WITHIN),
        )

    def _start_store_and_api(self) -> None:
        self.services.mongo.start()
        self.cli("migrate")
        self.api.launch()

    def load_members(self) -> None:
        """Put the sample members, whether they are there already or not; raises ``ApiRefused``."""
        platform = self.token("dev-platform", "platform")
        for member in members():
            call(self.http_url, "PUT", f"/v1/members/{member.member_id}", platform, member.body)

    def discard(self) -> None:
        """End everything at once, without the time that an orderly stop takes: nobody wants what it holds."""
        side_by_side(self.api.kill, self.worker.kill, self.services.broker.discard, self.services.mongo.discard)

    def watch(self) -> None:
        """Never return: raises ``ProcessFailed`` when a child ends by itself, ``KeyboardInterrupt`` on SIGINT."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.signal(signal.SIGCHLD, _note)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        warning: str | None = None
        while True:
            for child in (self.services.broker, self.services.mongo, self.api, self.worker):
                child.check()
            if warning is None and (warning := self.catalogue_warning()):
                print(warning, file=sys.stderr, flush=True)
            if select.select([reader], [], [], _LOOK_EVERY)[0]:
                os.read(reader, 64)

    def catalogue_warning(self) -> str | None:
        """What the worker warned of when it ignored everything, in words; None when it did not."""
        return catalogue_warning(self.worker.written())


def catalogue_warning(log: str) -> str | None:
    """Find in a worker's log that nothing counts, and say it in words."""
    for line in log.splitlines():
        if NOTHING_COUNTS in line and line.endswith("}"):
            fields = json.loads(line)
            return f"Warning: {fields['event']} ({fields['statements']} statements). {fields['remedy']}."
    return None


@contextmanager
def stack(
    settings: Settings, extra: Mapping[str, str] | None = None, *, own_broker: bool = False, samples: bool = True
) -> Generator[Stack]:
    """Start everything, and stop it at the end; raises ``ServiceMissing`` or ``ProcessFailed``.

    ``extra`` is added to the environment of the API and the worker. With ``samples`` the catalogue and the
    targets are those of the samples, where the settings name none. With ``own_broker`` one that merely happens to run
    here is not taken, only one that BRIDGE_AMQP_URL names.
    """
    amqp, mongo = _named(settings, "amqp_url"), _named(settings, "mongo_url")
    private = own_broker and amqp is None
    with (
        select_services(settings.local_dir, amqp_url=amqp, mongo_url=mongo, private=private) as dev_services,
        ExitStack() as processes,
    ):
        new_stack = _prepare(settings, dev_services, extra or {}, samples)
        processes.callback(side_by_side, new_stack.api.stop, new_stack.worker.stop)
        new_stack.start()
        yield new_stack


def _note(_number: int, _frame: object) -> None:
    """The signal's byte on the wake-up pipe is what counts."""


def _named(settings: Settings, name: str) -> str | None:
    return getattr(settings, name).get_secret_value() if name in settings.model_fields_set else None


def _prepare(settings: Settings, dev_services: DevServices, extra: Mapping[str, str], samples: bool) -> Stack:
    port = _http_port(settings)
    environment = {**_defaults(settings, samples), **os.environ, **_decided(settings, dev_services, port), **extra}
    grace = settings.shutdown_timeout + _STOP_WITHIN
    api_with_portal = [sys.executable, "-m", "deploy.dev.portal_api", *(["--samples"] if samples else [])]
    api, worker = (
        Process(name, argv, dev_services.logs / f"{name}.log", environment, grace=grace)
        for name, argv in (("api", api_with_portal), ("worker", [_CLI, "worker"]))
    )
    return Stack(settings, dev_services, environment, f"http://{settings.http_host}:{port}", api, worker)


def _refuse_taken_port(host: str, port: int) -> None:
    """Raise ``ServiceMissing``: whoever has the port would be taken for the API, and refuse its tokens."""
    if not is_free(port, host):
        raise ServiceMissing(
            f"Another program listens at {host}:{port}. Set BRIDGE_HTTP_PORT to another port; 0 takes a free one."
        )


def _http_port(settings: Settings) -> int:
    if "http_port" in settings.model_fields_set and settings.http_port:
        return settings.http_port
    return settings.http_port if settings.http_port and is_free(settings.http_port) else free_port()


def _defaults(settings: Settings, samples: bool) -> dict[str, str]:
    """What ``dev`` sets where neither the environment, a file nor ``.env`` does."""
    dev_key(settings.local_dir)  # writes the public part that the API reads
    values = {"auth_issuer": DEV_ISSUER, **(_of_samples(settings) if samples else {})}
    if not own_authentication(settings):
        values["auth_key_file"] = str((settings.local_dir / PUBLIC_NAME).resolve())
    return {f"{PREFIX}{name.upper()}": value for name, value in values.items() if name not in settings.model_fields_set}


def _of_samples(settings: Settings) -> dict[str, str]:
    """What the samples bring; their targets speak of the standard forms."""
    targets = {} if settings.forms_dir else {"targets_file": str(TARGETS_FILE.resolve())}
    return {"catalogue_prefixes": CATALOGUE_PREFIX, **targets}


def own_authentication(settings: Settings) -> bool:
    """Whether the settings name an issuer's keys, so that tokens of the development key are not taken."""
    return settings.auth_jwks_url is not None or settings.auth_key_file is not None


def _decided(settings: Settings, dev_services: DevServices, port: int) -> dict[str, str]:
    values = {
        "mongo_url": dev_services.mongo_url,
        "amqp_url": dev_services.amqp_url,
        "http_port": str(port),
        "metrics_port": str(settings.metrics_port or free_port()),
        "local_dir": str(settings.local_dir.resolve()),
    }
    return {f"{PREFIX}{name.upper()}": value for name, value in values.items()}
