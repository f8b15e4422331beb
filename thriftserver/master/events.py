"""The words of the master's decisions: its state, what can happen to it, and what it can do about it.

Values only; ``policy`` decides, ``supervisor`` acts.
"""

from __future__ import annotations

import signal
from enum import Enum
from typing import Final, TypeAlias

from msgspec import Struct


class Phase(Enum):
    STARTING = "starting"
    RUNNING = "running"
    RELOADING = "reloading"
    STOPPING = "stopping"


class Worker(Struct, frozen=True):
    pid: int
    number: int
    generation: int
    born: float
    ready: bool = False
    spent: str = ""
    """Why it is to be retired as soon as its successor is ready; until then it serves on."""
    hung: bool = False
    """It was told to write its stacks and die."""
    retiring: bool = False
    deadline: float = float("inf")
    """When to kill it: it must be ready by then, or gone by then."""

    @property
    def stays(self) -> bool:
        return not (self.retiring or self.hung)


class ReloadChecked(Struct, frozen=True):
    """Event: the new configuration and IDL were read; these are the new configuration's numbers."""

    target: int
    boot_timeout: float
    graceful_timeout: float
    canary: float = 0.0
    """Seconds for which one worker of the new generation is tried beside the old ones; 0: it need only be ready."""


class State(Struct, frozen=True):
    """All that decisions depend on. Durations are seconds; times are of one monotonic clock."""

    target: int
    boot_timeout: float
    graceful_timeout: float
    capacity: int = 1 << 30
    """Workers there is room for on the scoreboard, old and new together."""
    configured: int = 0
    """What the configuration says about ``target``; 0: the same."""
    phase: Phase = Phase.STARTING
    generation: int = 1
    candidate: int | None = None
    """The generation being tried, while RELOADING."""
    candidate_limits: ReloadChecked | None = None
    """What comes into force with it."""
    on_trial: bool = False
    """One worker of a new generation serves beside the old ones until it is judged: the candidate's, or an heir's."""
    trial_due: float = 0.0
    """When that is over, here or in the new master; 0: none is under way."""
    newest: int = 1
    workers: dict[int, Worker] = {}
    resting: bool = False
    """No worker is wanted until a reload or a scaling."""
    crashes: int = 0
    """Workers in a row that did not live to be HEALTHY."""
    looping: bool = False
    """So many crashes that it is a loop: told once, shown until it is over."""
    spawn_after: float = 0.0
    reload_wanted: bool = False
    """A reload was asked for during another one."""
    successor: int = 0
    """The pid of a new master that is booting; until it has, nothing here changes."""
    successor_due: float = float("inf")
    """When to kill it: it must be ready by then, or gone by then."""
    abdicated: int = 0
    """The pid of a new master that may take over, until it has: this one stays that long, and every name is right."""
    heir: bool = False
    """An older master serves beside this one, which takes over when its workers are ready and the older one says so."""
    canary: float = 0.0
    """Seconds for which an heir's first worker is on trial."""
    offered: bool = False
    """It has told the older master that it is ready: from then on it must not give up, whatever becomes of a worker."""
    companion: bool = False
    """A process runs that a stop waits for, a moment: its farewell comes before that of the workers."""
    farewell_due: float = float("inf")
    """When the workers are told to leave at last, while a stop waits."""
    keeping: bool = False
    """It stops, and connections that workers hand over are kept for the next master."""
    hurry: int = 0
    exit_code: int = 0

    @property
    def upgrading(self) -> bool:
        return bool(self.successor)

    @property
    def wanted(self) -> int:
        """Workers that should serve now."""
        if self.resting:
            return 0
        return 1 if self.heir and self.on_trial else self.target


# Events.


class Tick(Struct, frozen=True):
    """Time has passed."""


class Slept(Struct, frozen=True):
    """The master was stopped for so long (Ctrl-Z, SIGSTOP), and its children probably were too."""

    seconds: float


class Spawned(Struct, frozen=True):
    pid: int
    number: int
    generation: int


class Ready(Struct, frozen=True):
    pid: int


class Spent(Struct, frozen=True):
    """A worker is to be replaced, for ``reason``, without a call lost: max_requests, max_rss, drain."""

    pid: int
    reason: str


class Hung(Struct, frozen=True):
    """A worker's loop has not gone round for longer than the timeout."""

    pid: int


class Exited(Struct, frozen=True):
    """A child is gone. ``code`` is its exit code, or minus the signal; ``reason`` what it reported before.

    ``luck`` (0 to 1) is the chance that decisions need: they draw none themselves.
    """

    pid: int
    code: int
    reason: str = ""
    luck: float = 0.5


class SpawnFailed(Struct, frozen=True):
    """The system gave no new process."""

    generation: int
    reason: str
    luck: float = 0.5


class ScaleAsked(Struct, frozen=True):
    """Somebody wants ``target`` workers, or ``by`` more (less, if negative)."""

    target: int | None = None
    by: int = 0


class RestAsked(Struct, frozen=True):
    """Somebody sent WINCH, or asked for it: no workers, but keep the sockets."""


class ReloadAsked(Struct, frozen=True):
    """Somebody sent HUP."""


class ReloadImpossible(Struct, frozen=True):
    reason: str


class UpgradeAsked(Struct, frozen=True):
    """Somebody sent USR2."""


class UpgradeStarted(Struct, frozen=True):
    """The new master is a process now."""

    pid: int


class UpgradeReady(Struct, frozen=True):
    """The new master's workers serve."""


class UpgradeFailed(Struct, frozen=True):
    """There is no new master, or no longer. ``facts`` are the evidence if it has judged itself."""

    reason: str
    facts: dict[str, object] | None = None


class UpgradeOnTrial(Struct, frozen=True):
    """The new master tries one worker for so long; 0: it no longer does, and boots the others."""

    seconds: float
    facts: dict[str, object] = {}
    doubt: bool = False


class Judged(Struct, frozen=True):
    """The new generation has been tried. ``facts`` are the evidence; ``doubt``: there were too few calls to tell."""

    good: bool
    facts: dict[str, object]
    reason: str = ""
    doubt: bool = False


class Followed(Struct, frozen=True):
    """The new master has taken over."""


class Succeeded(Struct, frozen=True):
    """The older master beside this one has let go, or is gone."""


class Accompanied(Struct, frozen=True):
    """There is a process that a stop has to wait for, or none any more."""

    so: bool


class StopAsked(Struct, frozen=True):
    """``keep``: a master that follows takes the live connections, and something holds them until then."""

    graceful: bool
    keep: bool = False


Event: TypeAlias = (
    Tick
    | Slept
    | Spawned
    | SpawnFailed
    | Ready
    | Spent
    | Hung
    | Exited
    | ScaleAsked
    | RestAsked
    | ReloadAsked
    | ReloadChecked
    | ReloadImpossible
    | UpgradeAsked
    | UpgradeStarted
    | UpgradeReady
    | UpgradeFailed
    | UpgradeOnTrial
    | Judged
    | Followed
    | Succeeded
    | Accompanied
    | StopAsked
)

#: What signals to the master ask for.
ASKED: Final[dict[int, Event]] = {
    signal.SIGTERM: StopAsked(graceful=True),
    signal.SIGINT: StopAsked(graceful=False),
    signal.SIGQUIT: StopAsked(graceful=False),
    signal.SIGHUP: ReloadAsked(),
    signal.SIGTTIN: ScaleAsked(by=1),
    signal.SIGTTOU: ScaleAsked(by=-1),
    signal.SIGWINCH: RestAsked(),
    signal.SIGUSR2: UpgradeAsked(),
}

# Actions.


class Spawn(Struct, frozen=True):
    number: int
    generation: int


class Signal(Struct, frozen=True):
    """Send to a worker a signal of ``assignment`` (USR2, TERM, QUIT, ABRT), to a new master one of its own; or KILL."""

    pid: int
    name: str


class CheckReload(Struct, frozen=True):
    """Read configuration and IDL anew; answer with ReloadChecked or ReloadImpossible."""


class Adopt(Struct, frozen=True):
    """The candidate's program is the one in force now."""

    generation: int


class Try(Struct, frozen=True):
    """Compare the worker of this generation with the others for so long; answer with Judged."""

    generation: int
    seconds: float


class Judge(Struct, frozen=True):
    """The worker that is tried is gone: answer with Judged if that is the end, else it is tried again."""


class StartUpgrade(Struct, frozen=True):
    """Start a new master from disk; answer with UpgradeStarted or UpgradeFailed, later with that or UpgradeReady."""


class Disown(Struct, frozen=True):
    """The new master is on its own from now on, and is told to."""


class Abdicate(Struct, frozen=True):
    """Let the new master take over."""


class Offer(Struct, frozen=True):
    """Tell the older master that this one's workers are ready."""


class Tell(Struct, frozen=True):
    """Tell the older master how the trial of this one's first worker goes: canary, judged, rolled_back."""

    kind: str
    reason: str = ""
    seconds: float = 0.0
    facts: dict[str, object] = {}
    doubt: bool = False


class Log(Struct, frozen=True):
    level: str
    event: str
    facts: dict[str, object]


class News(Enum):
    """What observers of the master hear of."""

    READY = "ready"
    RELOADING = "reloading"
    RELOADED = "reloaded"
    REJECTED = "reload_rejected"
    TRYING = "canary_started"
    """The text is for how many seconds."""
    JUDGED = "canary_passed"
    ROLLED_BACK = "reload_rolled_back"
    UPGRADED = "upgraded"
    """Another master may take over from now on; the text is its pid."""
    FOLLOWED = "followed"
    """It has."""
    UPGRADE_FAILED = "upgrade_failed"
    SUCCEEDED = "succeeded"
    """This master is in force from now on, and no older one."""
    STOPPING = "stopping"


class Announce(Struct, frozen=True):
    news: News
    text: str = ""


class Fail(Struct, frozen=True):
    """The first boot failed: the command line says why and ends with ``code``, once every worker is gone."""

    code: int
    reason: str


Action: TypeAlias = (
    Spawn
    | Signal
    | CheckReload
    | Try
    | Judge
    | Adopt
    | StartUpgrade
    | Disown
    | Abdicate
    | Offer
    | Tell
    | Log
    | Announce
    | Fail
)
