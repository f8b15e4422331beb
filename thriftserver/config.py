"""Every option once: flag, environment variable, TOML key, default, parser and help text are one row of ``Settings``.

What an option does is known only to the room that uses it; where its value comes from, to ``origins``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from thriftserver.quantities import (
    boolean,
    count,
    duration,
    duration_or_off,
    host_name,
    method_timeout,
    network,
    octal,
    one_of,
    origin,
    positive,
    processes,
    share,
    size,
)
from thriftserver.sans import rule
from thriftserver.wire import DIALECTS, MAX_FRAME

ENV_PREFIX = "THRIFTSERVER_"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
LOG_FORMATS = ("auto", "json", "console")
ACCESS_LOGS = ("off", "slow", "sampled", "all")


class Option(Struct, frozen=True):
    """One option. A default that is a tuple makes it repeatable; ``env`` is a second, customary variable for it.

    ``reloadable``: a reload brings a new value into force.
    """

    name: str
    default: Any
    help: str
    flags: tuple[str, ...]
    parse: Callable[[str], Any]
    metavar: str
    env: str | None
    reloadable: bool

    @property
    def repeatable(self) -> bool:
        return isinstance(self.default, tuple)


#: The options in the order of the help text, but for their names.
_rows: list[tuple[Any, ...]] = []


def _row(
    default: Any,
    help: str,
    *flags: str,
    parse: Callable[[str], Any] = str,
    metavar: str = "TEXT",
    env: str | None = None,
    reloadable: bool = True,
) -> Any:
    """The default of an option, with the rest of its row noted: ``Option`` says what is what."""
    _rows.append((default, help, flags, parse, metavar, env, reloadable))
    return default


class Settings(Struct, frozen=True, kw_only=True):
    """All options of ``thriftserver run``, parsed. Durations are seconds, sizes bytes."""

    idl: tuple[str, ...] = _row((), "Thrift IDL file to serve; repeatable.", metavar="FILE")
    include: tuple[str, ...] = _row((), "Directory to search for included IDL files; repeatable.", "-I", metavar="DIR")
    handler: tuple[str, ...] = _row(
        (),
        "What answers the calls: pkg.mod:Class, pkg.mod:instance, pkg.mod:factory or a module; "
        "Service=pkg.mod:Class for one of several services; repeatable.",
        metavar="[SERVICE=]PKG:OBJ",
    )
    types: tuple[str, ...] = _row(
        (),
        "Module with the handler's own classes for structs, as another Thrift library makes them: arguments are "
        "instances of these; PKG, or PKG:OBJ for a module that is loaded at run time; repeatable.",
        metavar="PKG[:OBJ]",
    )
    service: str = _row("", "Service to serve, when the IDL defines more than one.", metavar="NAME")
    bind: tuple[str, ...] = _row(
        ("127.0.0.1:9090",),
        "Address to listen on: HOST:PORT, [::1]:PORT, unix:/path, fd://3; port 0 takes a free one; plain:HOST:PORT "
        "stays without TLS; repeatable.",
        "-b",
        metavar="ADDRESS",
        reloadable=False,
    )
    unix_mode: str = _row(
        "",
        "Permissions of unix sockets, in octal (0660); without it, what the umask leaves.",
        parse=octal,
        metavar="MODE",
        reloadable=False,
    )
    proxy_protocol: tuple[str, ...] = _row(
        (),
        "Network of proxies that say whose connections they pass on, in the PROXY protocol (1 or 2): each connection "
        "from there begins with that; repeatable.",
        parse=network,
        metavar="NETWORK",
    )
    certfile: tuple[str, ...] = _row(
        (),
        "Certificate, with its chain, in PEM: every address but plain: and unix: ones speaks TLS; repeatable, clients "
        "get the one with the name that they ask for.",
        metavar="FILE",
    )
    keyfile: tuple[str, ...] = _row(
        (), "Key of each --certfile, in PEM; without it, the key stands beside the certificate.", metavar="FILE"
    )
    key_passphrase: str = _row(
        "", "Where the passphrase of the keys stands: file:PATH or env:NAME.", metavar="file:PATH|env:NAME"
    )
    ca_certs: str = _row("", "Certificates, in PEM, of who vouches for clients.", metavar="FILE")
    cert_reqs: str = _row(
        "none",
        "Whether clients must show a certificate: none, optional, required.",
        parse=one_of("none", "optional", "required"),
        metavar="WHETHER",
    )
    allow_san: tuple[str, ...] = _row(
        (),
        "Name in a client's certificate that lets it connect, or call one service or method: DNS:*.example.com, "
        "URI:spiffe://example.com/*, email:..., IP:10.0.0.0/8; repeatable.",
        parse=rule,
        metavar="[[SERVICE.]METHOD=]KIND:PATTERN",
    )
    cert_watch: bool = _row(
        False, "Read certificates and keys anew when their files change, without a reload.", parse=boolean
    )
    ciphers: str = _row(
        "", "Ciphers of TLS 1.2, as OpenSSL writes them; without it, what Python takes for good.", metavar="LIST"
    )
    tls: str = _row(
        "required",
        "Where there is a certificate: required, or auto for serving clients without TLS on the same port.",
        parse=one_of("auto", "required"),
        metavar="WHETHER",
    )
    workers: int = _row(1, "Worker processes.", "-w", parse=processes, metavar="N", env="WEB_CONCURRENCY")
    graceful_timeout: float = _row(
        30.0, "How long a stopping worker may take to finish its calls.", parse=duration, metavar="DURATION"
    )
    boot_timeout: float = _row(
        60.0, "How long a worker may take from its start until it is ready.", parse=duration, metavar="DURATION"
    )
    timeout: float = _row(
        30.0,
        "How long a worker's event loop may stand still before the worker is replaced; 0: for ever.",
        "-t",
        parse=duration,
        metavar="DURATION",
    )
    reload: bool = _row(
        False,
        "Reload when a file of the handler, the IDL or the configuration changes: for development.",
        parse=boolean,
        reloadable=False,
    )
    allow_breaking: bool = _row(
        False, "Let a reload take an IDL that breaks clients of the running one.", parse=boolean
    )
    canary: float = _row(
        0.0,
        "How long a reload or an upgrade tries one new worker beside the old ones, to be judged by its calls, before "
        "it goes on or rolls back; 0: not at all.",
        parse=duration,
        metavar="DURATION",
    )
    canary_idle: str = _row(
        "adopt",
        "What follows when a canary had too few calls to be judged by: adopt, or hold until it has.",
        parse=one_of("adopt", "hold"),
        metavar="WHAT",
    )
    max_rss: int = _row(0, "Memory with which a worker is replaced; 0: any.", parse=size, metavar="SIZE")
    control: str = _row(
        "", "Unix socket on which `thriftserver ctl` reaches the master.", metavar="PATH", reloadable=False
    )
    user: str = _row("", "User that workers run as, by name or number; only root can change it.", "-u", metavar="USER")
    group: str = _row("", "Group that workers run as; without it, the user's own.", "-g", metavar="GROUP")
    umask: str = _row(
        "",
        "Permissions that new files do not get, in octal; without it, as inherited.",
        "-m",
        parse=octal,
        metavar="MASK",
        reloadable=False,
    )
    pidfile: str = _row("", "File with the master's process id.", "-p", metavar="PATH", reloadable=False)
    name: str = _row("thriftserver", "Name of the processes, for ps and top.", "-n", metavar="NAME", reloadable=False)
    chdir: str = _row("", "Directory to work in; relative names start there.", metavar="DIR", reloadable=False)
    pythonpath: tuple[str, ...] = _row(
        (), "Directory to import handlers from, beside the current one; repeatable.", metavar="DIR", reloadable=False
    )
    max_connections: int = _row(
        10_000, "Connections one worker holds; more wait in the backlog.", parse=positive, metavar="N"
    )
    max_frame: int = _row(MAX_FRAME, "Largest message to accept or send.", parse=size, metavar="SIZE")
    dialect: tuple[str, ...] = _row(
        (),
        f"Answer this dialect of Thrift alone; repeatable. auto, the default, answers all: {', '.join(DIALECTS)} (this "
        "one with --http).",
        parse=one_of("auto", *DIALECTS),
        metavar="NAME",
    )
    http: bool = _row(False, "Answer Thrift in HTTP POST requests, too.", parse=boolean)
    http_cors: str = _row(
        "",
        "Origin whose pages may call over HTTP, as in https://example.com; * for every one.",
        parse=origin,
        metavar="ORIGIN",
    )
    max_inflight: int = _row(1000, "Calls one worker runs at once; more wait, unread.", parse=positive, metavar="N")
    queue_timeout: float = _row(
        5.0,
        "A call that waited longer than this is refused (LOADSHEDDING); 0: never.",
        parse=duration,
        metavar="DURATION",
    )
    request_timeout: float = _row(
        0.0,
        "From a call's arrival until it is answered TIMEOUT, unless the IDL says otherwise; 0: never.",
        parse=duration,
        metavar="DURATION",
    )
    method_timeout: tuple[tuple[str, float], ...] = _row(
        (), "The same for one method; repeatable.", parse=method_timeout, metavar="[SERVICE.]METHOD=DURATION"
    )
    read_timeout: float = _row(
        30.0, "From a request's first byte until it is complete; 0: for ever.", parse=duration, metavar="DURATION"
    )
    write_timeout: float = _row(
        30.0, "How long a peer may not read its reply; 0: for ever.", parse=duration, metavar="DURATION"
    )
    idle_timeout: float = _row(
        0.0, "How long a connection may be idle; 0: for ever.", parse=duration, metavar="DURATION"
    )
    keepalive: float = _row(
        60.0,
        "Silence after which the kernel asks whether a peer is still there; one that vanished is given up after twice "
        "that. off: never.",
        parse=duration_or_off,
        metavar="DURATION|off",
    )
    pipeline: int = _row(
        1, "Calls of one connection run at once; they are answered in order.", parse=positive, metavar="N"
    )
    threads: int = _row(8, "Threads of one worker for methods that block.", parse=positive, metavar="N")
    middleware: tuple[str, ...] = _row(
        (), "Runs around every call, the first one outermost: pkg.mod:object; repeatable.", metavar="PKG:OBJ"
    )
    monkey_patch: bool = _row(
        True, "Make the standard library cooperative, so that blocking code lets others run.", parse=boolean
    )
    max_requests: int = _row(0, "Calls after which a worker is replaced; 0: never.", parse=count, metavar="N")
    max_requests_jitter: int = _row(
        0,
        "Up to so many calls more, by chance, so that workers are not replaced all at once.",
        parse=count,
        metavar="N",
    )
    debug: bool = _row(False, "Tell peers what went wrong inside: for development only.", parse=boolean)
    backlog: int = _row(
        2048, "Connections the kernel queues for accept.", parse=positive, metavar="N", reloadable=False
    )
    log_level: str = _row(
        "info",
        f"Least severe events to log: {', '.join(LOG_LEVELS)}.",
        parse=one_of(*LOG_LEVELS),
        metavar="LEVEL",
        reloadable=False,
    )
    log_file: str = _row(
        "", "File to append the log to, instead of stderr; USR1 opens it anew.", metavar="PATH", reloadable=False
    )
    log_format: str = _row(
        "auto",
        "How lines look: json, console (for people), or auto: console on a terminal, else json.",
        parse=one_of(*LOG_FORMATS),
        metavar="FORMAT",
        reloadable=False,
    )
    access_log: str = _row(
        "off",
        "Calls to log: off, slow, all, or sampled (all that failed or were slow, and a share of the others).",
        parse=one_of(*ACCESS_LOGS),
        metavar="WHICH",
    )
    slow_call: float = _row(0.5, "From when on a call is slow.", parse=duration, metavar="DURATION")
    access_sample: float = _row(
        0.01, "Share of the calls that --access-log sampled takes at random: 0.01 or 1%.", parse=share, metavar="SHARE"
    )
    register: tuple[str, ...] = _row(
        (),
        "Registry to enter this server in while it is ready: zk://HOST:PORT,HOST:PORT/path, etcd://HOST:PORT/prefix, "
        "consul://HOST:PORT/service, if they want it with USER:PASSWORD@ (etcd) or TOKEN@ (Consul) before HOST; "
        "repeatable.",
        metavar="URL",
    )
    register_address: str = _row(
        "",
        "Where clients reach this server, if that is not the address it listens on.",
        metavar="HOST[:PORT]",
        reloadable=False,
    )
    register_weight: int = _row(
        1, "Share of the calls that this server takes beside others, told to registries.", parse=positive, metavar="N"
    )
    register_version: str = _row("", "Version of the service, told to registries.", metavar="TEXT")
    register_ttl: float = _row(
        10.0,
        "How long a registry keeps a server that gives no sign of life.",
        parse=duration,
        metavar="DURATION",
        reloadable=False,
    )
    reflection: str = _row(
        "local",
        "Whom the server tells its IDL, as `thriftserver call` and `describe` ask for it: off, local (who comes over "
        "loopback and unix sockets), on for everybody.",
        parse=one_of("off", "local", "on"),
        metavar="WHO",
    )
    admin: str = _row(
        "",
        "Address for /metrics, /healthz, /readyz and a page for people. Whoever reaches it reads it: keep it private.",
        metavar="HOST:PORT",
        reloadable=False,
    )
    admin_host: tuple[str, ...] = _row(
        (),
        "Name by which the admin address may be asked, beside IP addresses, localhost and the machine's own name; "
        ".example.com stands for all that end so; repeatable.",
        parse=host_name,
        metavar="NAME",
    )
    admin_calls: bool = _row(False, "Let people call the service's methods from the admin page.", parse=boolean)


#: In the order of the help text.
OPTIONS = tuple(Option(name, *row) for name, row in zip(Settings.__struct_fields__, _rows, strict=True))


def flag(name: str) -> str:
    return "--" + name.replace("_", "-")
