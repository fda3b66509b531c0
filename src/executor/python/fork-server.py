"""An interpreter that has imported Flyte's SDK already, and forks a process of its own for each attempt.

Started by fork-server.ts in the environment of Python that runs the tasks, with the very variables that
they have. It is told of attempts on stdin, a JSON object a line, and tells of their processes on
descriptor 3.

R1  What is forked is an interpreter with one thread and no event loop. Threads and loops that the SDK
    makes while it is imported are put off: each process starts its own.
R2  User code is imported in the forked process alone, so nothing of it is left for the next.
R3  Each process is the head of a session and group of its own. Beside it a tiny shell (the guard) reads
    from a socket that nobody writes to: when the other end is gone, it kills the group. The guard is
    there before the attempt begins, and keeps the group's number in use.
R4  When stdin ends, so does this process. Whoever started it ends the rest.
"""

import asyncio
import gc
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback

EVENTS = 3

# What `a0` imports before it reaches the user's code, and what that code imports most. A newer SDK may lack
# some of it: then the attempt imports what it needs itself.
PRELOADED = """
flyte flyte._bin.runtime flyte.errors flyte.storage flyte.types flyte.io flyte.report flyte.git
flyte._initialize flyte._code_bundle flyte._utils flyte._utils.asyncify flyte._checkpoint flyte._metrics
flyte._internal.controllers flyte._internal.image_cache flyte._internal.runtime.entrypoints
flyte._internal.runtime.convert flyte._internal.runtime.io flyte._internal.controllers.remote
flyte._internal.controllers.remote._client flyte._internal.controllers.remote._controller
flyte._internal.resolvers.default flyte.remote._client.controlplane flyte.remote._client.auth._session
flyte.remote._client.auth._interceptors.default_metadata flyte.remote._client.auth._interceptors.retry
flyteidl2.actions.actions_service_connect flyteidl2.workflow.queue_service_connect
flyteidl2.workflow.state_service_connect fsspec.implementations.local obstore.fsspec aiofiles
httpcore pyqwest._glue opentelemetry.propagate opentelemetry.trace opentelemetry.metrics importlib.readers faulthandler
""".split()

GUARD = """
( trap "" HUP INT QUIT PIPE ALRM TERM USR1 USR2 TSTP TTIN TTOU
( exec <&3 3<&- >/dev/null 2>&1
while read -r _; do :; done
kill -KILL 0 ) & )
"""


class Postponed:
    """R1. Threads that were to start, and loops that were made."""

    def __init__(self):
        self.threads = []
        self.loops = []
        self._start = threading.Thread.start
        self._new_loop = asyncio.new_event_loop

    def __enter__(self):
        def start(thread):
            self.threads.append(thread)

        def new_event_loop():
            loop = self._new_loop()
            self.loops.append(loop)
            return loop

        threading.Thread.start = start
        asyncio.new_event_loop = new_event_loop
        asyncio.events.new_event_loop = new_event_loop
        return self

    def __exit__(self, *_):
        threading.Thread.start = self._start
        asyncio.new_event_loop = self._new_loop
        asyncio.events.new_event_loop = self._new_loop

    def resume(self):
        """In the forked process: what a loop has of the system is shared with the others, so each is made anew."""
        for loop in self.loops:
            loop.close()
            loop.__init__()
        for thread in self.threads:
            thread.start()


def preload():
    with Postponed() as postponed:
        for name in PRELOADED:
            try:
                __import__(name)
            except ImportError:
                if name == "flyte._bin.runtime":
                    raise
    rehearse()
    threads = len(os.listdir("/proc/self/task"))
    if threads != 1:
        raise RuntimeError(f"importing flyte has left {threads - 1} threads running, which a fork would lose")
    return postponed


def rehearse():
    """What each attempt would find out anew, and is the same for all. A newer SDK may do without."""
    for prepare in (certificates_flag, entry_points, trust_once):
        try:
            prepare()
        except Exception:
            pass


def certificates_flag():
    from flyte.remote._client.auth._session import _supports_system_certs

    _supports_system_certs()


def entry_points():
    from flyte._utils.entry_points import _installed_entry_points

    _installed_entry_points()


def trust_once():
    """
    To read the certificates that a machine trusts takes half of an attempt's start, and the SDK does so twice
    though it speaks no TLS here. One context serves any number of clients. Whoever asks for another one,
    or has changed what decides about it, gets one of its own.
    """
    from httpx._transports import default

    def decides():
        return os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"), os.environ.get("SSLKEYLOGFILE")

    make, decided = default.create_ssl_context, decides()
    whole = make()

    def create_ssl_context(verify=True, cert=None, trust_env=True, **more):
        if verify is True and cert is None and trust_env is True and not more and decides() == decided:
            return whole
        return make(verify=verify, cert=cert, trust_env=trust_env, **more)

    default.create_ssl_context = create_ssl_context


def tell(message):
    os.write(EVENTS, json.dumps(message).encode() + b"\n")


def serve(postponed):
    """Never returns in this process; in a forked one it returns the attempt."""
    children = {}
    wakeup, woken = socket.socketpair()
    wakeup.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(wakeup, selectors.EVENT_READ)
    buffered = b""
    gc.collect()
    gc.freeze()
    tell({"type": "ready"})
    while True:
        for key, _ in selector.select():
            if key.fileobj is wakeup:
                wakeup.recv(4096)
                reap(children)
                continue
            chunk = os.read(0, 65536)
            if chunk == b"":
                os._exit(0)
            *lines, buffered = (buffered + chunk).split(b"\n")
            for line in lines:
                attempt = json.loads(line)
                pid = os.fork()
                if pid == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    selector.close()
                    wakeup.close()
                    woken.close()
                    os.close(EVENTS)
                    return attempt
                children[pid] = attempt["id"]
                tell({"type": "forked", "id": attempt["id"], "pid": pid})
        reap(children)


def reap(children):
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        attempt = children.pop(pid, None)
        if attempt is None:
            continue
        if os.WIFSIGNALED(status):
            tell({"type": "exited", "id": attempt, "code": None, "signal": os.WTERMSIG(status)})
        else:
            tell({"type": "exited", "id": attempt, "code": os.WEXITSTATUS(status), "signal": None})


def connected(attempt, name):
    """A connection to whoever started us, which says first what it is."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect(attempt["socket"])
    connection.sendall(f"{attempt['token']} {name}\n".encode())
    return connection


def become(attempt):
    """Makes this process what a fresh interpreter would be that was started for the attempt."""
    os.setsid()
    life = connected(attempt, "life")
    guard = os.posix_spawn(
        "/bin/sh",
        ["godwit-guard", "-c", GUARD],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, life.fileno(), 3)],
    )
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        connection = connected(attempt, name)
        os.dup2(connection.fileno(), descriptor)
        connection.close()
    os.waitpid(guard, 0)
    life.close()
    os.chdir(attempt["cwd"])
    os.environ.clear()
    os.environ.update(attempt["env"])
    if hasattr(time, "tzset"):
        time.tzset()
    sys.argv = attempt["argv"]
    sys.path[0] = os.path.dirname(sys.argv[0])
    sys.modules["__main__"].__file__ = sys.argv[0]


def run(postponed, main):
    """The attempt, to its exit code. What a user would see of an interpreter's end happens here too."""
    code = 1
    try:
        postponed.resume()
        main()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
        if isinstance(leaving.code, str):
            print(leaving.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    try:
        threading._shutdown()
        import atexit

        atexit._run_exitfuncs()
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            code = code or 120
    os._exit(code & 0xFF)


def start():
    try:
        postponed = preload()
    except BaseException as error:
        tell({"type": "unfit", "reason": f"{type(error).__name__}: {error}"})
        raise SystemExit(1) from error
    attempt = serve(postponed)
    try:
        become(attempt)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    from flyte._bin.runtime import main

    run(postponed, main)


if __name__ == "__main__":
    start()
