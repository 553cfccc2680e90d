"""embed: applications that bring their own libpython: it is loaded late, started and finalised several times, unloaded
and loaded again, or there are two versions in one process.

The host (victims/embed_host.c) counts events with a hook of its own, which it adds before each life begins. The capture
must hold what that hook saw between attach and detach, name by name.
"""
import collections
import json
import os
import select
import signal
import subprocess
import time

import harness
from harness import Capture, Fail, Recorder, Skip, expect, expect_goodbye, expect_same_maps, foreign_maps, kill, maps_of, \
    status_of, wait_for

MARK = "import sys; sys.audit('embed.life', {0})"
PATIENCE = harness.GUARD


class Library:
    """A shared libpython, and what is needed to run a program with it."""

    def __init__(self, python, path, loader=None):
        self.name, self.minor, self.version_text = python.name, python.minor, python.version_text
        self.debug, self.free_threaded = python.debug, python.free_threaded
        self.path, self.loader = path, loader


def libraries(ctx):
    """Those of all Pythons found that have a shared libpython; if a suite has its own libc, its own loader runs it."""
    found = []
    for python in ctx.pythons:
        code = ("import sysconfig as s; v = s.get_config_var; "
                "print(v('INSTSONAME') or '', v('LIBDIR') or '', v('MULTIARCH') or '', __import__('sys').executable)")
        done = subprocess.run([*python.command, "-c", code], stdout=subprocess.PIPE, text=True, timeout=harness.GUARD)
        words = done.stdout.split(" ")
        if done.returncode or not words[0].startswith("libpython"):
            continue
        name, folder, multiarch, executable = words[0], words[1], words[2], words[3].strip()
        root = executable.split("/usr/bin/")[0] if "/usr/bin/" in executable else ""
        loader = f"{root}/usr/lib/{multiarch}/ld-linux-x86-64.so.2" if root else None
        places = [os.path.join(folder, name), os.path.join(folder, multiarch, name), f"{root}/usr/lib/{multiarch}/{name}"]
        place = next((p for p in places[2 if root else 0:] if os.path.exists(p)), None)
        if place and ".so" in name and (not loader or os.path.exists(loader)):
            found.append(Library(python, place, loader))
    return found


def host_program(ctx, library, options=()):
    """Build the host, once for each loader."""
    with ctx.lock:
        built = ctx.__dict__.setdefault("embed_hosts", {})
        key = (library.loader, *options)
        if key not in built:
            path = os.path.join(ctx.folder, f"embed_host{len(built)}")
            compiler = os.environ.get("CC", "cc").split()
            # DT_RPATH, not DT_RUNPATH: it also applies to the libraries that libpython needs.
            other = [f"-Wl,--dynamic-linker={library.loader}", f"-Wl,--disable-new-dtags,-rpath,{os.path.dirname(library.loader)}"] if library.loader else []
            done = subprocess.run([*compiler, "-O1", "-o", path, os.path.join(harness.VICTIMS, "embed_host.c"), "-ldl", *options, *other],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                raise Skip(f"no host can be built: {done.stdout[-200:]}")
            built[key] = path
        return built[key]


class Host:
    """The host, run alone or launched by `auditview record`."""

    def __init__(self, ctx, library, launched=None, built=()):
        self.ctx = ctx
        self.folder = ctx.new_folder("host-" + library.name)
        self.capture = Capture(ctx, os.path.join(self.folder, "capture.avc"))
        env = dict(os.environ)
        for name in ("PYTHONHOME", "PYTHONPATH"):
            env.pop(name, None)
        if library.loader:
            env["PYTHONHOME"] = os.path.join(library.loader.split("/usr/")[0], "usr")
        command = [host_program(ctx, library, built)]
        if launched is not None:
            command = [ctx.auditview, "record", "-o", self.capture.path, *launched, "--", *command]
        self.stderr_path = os.path.join(self.folder, "stderr")
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=env,
                                            cwd=self.folder, start_new_session=True)
        self.buffer = b""
        self.seen = collections.Counter()
        try:
            self.pid = self.answer("start")["pid"]
        except Fail:
            self.kill()
            raise

    def stderr(self):
        return open(self.stderr_path, encoding="utf-8", errors="replace").read()

    def answer(self, line, may_fail=False):
        end = time.monotonic() + PATIENCE
        fd = self.process.stdout.fileno()
        while b"\n" not in self.buffer:
            expect(time.monotonic() < end, lambda: f"no answer to {line!r}: {harness.session_state(self.process.pid)}; {self.stderr()[-300:]}")
            if select.select([fd], [], [], 1)[0]:
                more = os.read(fd, 65536)
                expect(more, lambda: f"ended at {line!r} with {self.process.wait()}: {self.stderr()[-500:]}")
                self.buffer += more
        text, self.buffer = self.buffer.split(b"\n", 1)
        reply = json.loads(text)
        expect(reply["done"] == line and (reply["ok"] or may_fail), lambda: f"{line!r} was answered {reply}: {self.stderr()[-500:]}")
        self.seen = collections.Counter(reply["seen"])
        return reply

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, line):
        self.send(line)
        return self.answer(line)

    def ask_if(self, line):
        """Ask for something that the host may refuse; returns whether it was done."""
        self.send(line)
        return self.answer(line, may_fail=True)["ok"]

    def load(self, i, library, how="global"):
        self.ask(f"load {i} {how} {library.path}")

    def life(self, i):
        """One life of a runtime: initialised, a mark, finalised."""
        self.ask(f"init {i}")
        self.ask(f"run {i} {MARK.format(i)}")
        self.ask(f"final {i}")

    def hooks(self):
        return harness.hooks_of(self.ctx, self.pid)

    def wait_armed(self, n=1):
        wait_for(lambda: self.hooks() == n, 20, f"{n} runtimes to be armed")

    def end(self, status=harness.STATUS):
        self.process.stdin.write(b"end\n")
        self.process.stdin.flush()
        try:
            ended = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise Fail(f"not ended: {harness.session_state(self.process.pid)}") from None
        expect(ended == status, lambda: f"the host ended with {ended}, expected {status}: {self.stderr()[-500:]}")

    def kill(self):
        harness.kill_group(self.process)
        self.process.stdout.close()
        self.process.stdin.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()


# ---- what was recorded ----

def names(events):
    return collections.Counter(e["event"] for e in events)


def expect_counts(wanted, got, what):
    differs = {name: (wanted[name], got[name]) for name in wanted | got if wanted[name] != got[name]}
    expect(not differs, lambda: f"{what}: {sum(wanted.values())} raised, {sum(got.values())} captured; (raised, captured): {differs}")


class Watch:
    """`auditview record -p` on a host. The host is silent until doctor finds the hook in its list; after that every
    event counts."""

    def __init__(self, ctx, host, armed, *options):
        self.host = host
        self.recorder = Recorder(ctx, host.pid, *options)
        try:
            self.recorder.wait_attached()
            host.wait_armed(armed)
        except Fail:
            kill(self.recorder.process)
            raise
        self.start = host.seen.copy()

    def expect_all(self):
        said = self.recorder.stop()
        wanted = self.host.seen - self.start
        n = expect_goodbye(said, min_events=0)
        events = self.recorder.capture.events()
        expect(n == len(events), f"goodbye says {n} events, the capture holds {len(events)}")
        expect_counts(wanted, names(events), "attached")
        expect(not foreign_maps(maps_of(self.host.pid)), lambda: f"left behind: {foreign_maps(maps_of(self.host.pid))}")
        expect(status_of(self.host.pid, "TracerPid") == "0", "a tracer is still attached")
        expect(self.host.hooks() == 0, "a hook is left in a list")
        return events

    def __enter__(self):
        return self

    def __exit__(self, *error):
        kill(self.recorder.process)


def expect_launched(host):
    """After a launched host has ended: every event that its hook saw is in the capture."""
    expect_goodbye(host.stderr(), ended=True)
    events = host.capture.events()
    expect_counts(host.seen, names(events), "launched")
    return events


def marks(events):
    return [e["args"]["0"] for e in events if e["event"] == "embed.life"]


# ---- the scenarios ----

# The host has a function with the name of the loader's function for debuggers.
NAMED = ("-rdynamic", "-Wl,--defsym=_dl_debug_state=main")


def lives_launched(ctx, library, options, built=()):
    """libpython is loaded late, has three lives, is unloaded, loaded again, has two lives; every event is recorded."""
    with Host(ctx, library, launched=options, built=built) as host:
        for round_ in range(2):
            host.load(0, library)
            for _ in range(3 - round_):
                host.wait_armed()
                host.life(0)
            host.ask("unload 0")
        host.end()
        expect(len(marks(expect_launched(host))) == 5, "marks are missing")


def lives_attached(ctx, library):
    """Attach in the middle of a life and detach in the middle of the third; attach once more while no interpreter
    runs."""
    with Host(ctx, library) as host:
        host.load(0, library)
        host.ask("init 0")
        before = maps_of(host.pid)
        with Watch(ctx, host, 1) as watch:
            host.ask("run 0 " + MARK.format(0))
            host.ask("final 0")
            host.wait_armed()
            host.life(0)
            host.wait_armed()
            host.ask("init 0")
            host.ask("run 0 " + MARK.format(0))
            expect(len(marks(watch.expect_all())) == 3, "marks are missing")
        expect_same_maps(before, maps_of(host.pid), False)
        host.ask("final 0")
        before = maps_of(host.pid)
        with Watch(ctx, host, 1) as watch:
            host.life(0)
            host.wait_armed()
            expect(len(marks(watch.expect_all())) == 1, "marks are missing")
        expect_same_maps(before, maps_of(host.pid), False)
        host.life(0)
        host.end()


def without_a_pause(ctx, library, n):
    """Each life begins the moment the previous one has ended. Each is captured from its first event to its last, so all
    hold the same number of events."""
    def check(events, first):
        lives, names_ = [], collections.Counter()
        for event in events:
            names_[event["event"]] += 1
            if event["event"] == "cpython._PySys_ClearAuditHooks":
                lives.append(names_)
                names_ = collections.Counter()
        expect(len(lives) == n + first, lambda: f"{len(lives)} lives of {n + first} are captured")
        for life in lives[2:]: # the first life imports more
            expect_counts(lives[1], life, "one life and another")

    with Host(ctx, library) as host:
        host.load(0, library)
        host.life(0)
        before = maps_of(host.pid)
        with Watch(ctx, host, 1) as watch:
            host.life(0)
            host.ask(f"lives 0 {n} " + MARK.format(0))
            check(watch.expect_all(), 1)
        expect_same_maps(before, maps_of(host.pid), False)
        host.life(0)
        host.end()
    harness.needs_breakpoints(ctx)  # what follows is the part that is launched
    with Host(ctx, library, launched=[]) as host:
        host.load(0, library)
        host.ask(f"lives 0 {n} " + MARK.format(0))
        host.end()
        check(expect_launched(host), 0)


def no_room_to_come_back(ctx, library):
    """All of Py_AtExit's places are taken: the recorder then links the probe again."""
    with Host(ctx, library) as host:
        host.load(0, library)
        with Watch(ctx, host, 1) as watch:
            for _ in range(2):
                host.ask("init 0")
                n = 0
                while host.ask_if("fill 0 1"):
                    n += 1
                expect(n >= 20, f"room for {n} functions only")
                host.ask("final 0")
                host.wait_armed()
            host.life(0)
            expect(len(marks(watch.expect_all())) == 1, "the mark is missing")
        host.life(0)
        host.end()


def left_while_it_ends(ctx, library, leave):
    """The runtime is finalised up to the point where the probe has asked to be called back, and no further. The
    recorder detaches there, or stays."""
    with Host(ctx, library) as host:
        host.load(0, library)
        host.life(0)
        before = maps_of(host.pid)
        with Watch(ctx, host, 1) as watch:
            host.ask("init 0")
            host.ask("slow 0")
            host.send("final 0")
            host.answer("slow")
            time.sleep(0 if leave else 1.1)  # the recorder checks the list of hooks twice a second
            expect(host.hooks() == 0, "linked before all was over")
            if leave:
                watch.expect_all()
            host.send("go")
            host.answer("final 0")
            if leave:
                expect(host.hooks() == 0, "it has come back")
            else:
                host.life(0)
                expect(len(marks(watch.expect_all())) == 1, "the mark is missing")
        expect_same_maps(before, maps_of(host.pid), False)
        host.life(0)
        host.end()


def killed_while_it_ends(ctx, library):
    """The recorder is killed at that point, at once or at any step of its detach. The next recorder removes everything,
    and the function that CPython would have called at its end is no longer there."""
    with Host(ctx, library) as host:
        host.load(0, library)
        host.life(0)
        before = maps_of(host.pid)
        killed = 0
        for n in range(20 if ctx.full else 1):
            host.ask("init 0")
            host.ask("slow 0")
            fault = dict(os.environ, AUDITVIEW_FAULT=f"leave-write:{n}:kill")
            recorder = Recorder(ctx, host.pid, env=fault)
            try:
                recorder.wait_attached()
                host.wait_armed()
                host.send("final 0")
                host.answer("slow")
                recorder.process.send_signal(signal.SIGINT if n else signal.SIGKILL)
                ended = recorder.process.wait(PATIENCE)
            finally:
                kill(recorder.process)
            killed += ended == -signal.SIGKILL
            with Recorder(ctx, host.pid) as recorder:
                host.wait_armed()
                expect_goodbye(recorder.stop(), min_events=0)
            expect(not foreign_maps(maps_of(host.pid)), lambda: f"write {n}: left behind: {foreign_maps(maps_of(host.pid))}")
            host.send("go")
            host.answer("final 0")
            expect(host.hooks() == 0, f"write {n}: it has come back")
            if ended == 0:
                break
        expect(killed >= (4 if ctx.full else 1), f"killed {killed} times: the test is broken")
        expect_same_maps(before, maps_of(host.pid), False)
        host.life(0)
        host.end()


def reload_attached(ctx, library):
    """libpython is unloaded while it is recorded, and loaded again, twice."""
    with Host(ctx, library) as host:
        host.load(0, library)
        with Watch(ctx, host, 1) as watch:
            for _ in range(2):
                host.life(0)
                host.ask("unload 0")
                host.load(0, library)
                host.wait_armed()
            host.life(0)
            host.wait_armed()
            expect(len(marks(watch.expect_all())) == 3, "marks are missing")
        host.life(0)
        host.ask("unload 0")
        host.end()


def unloaded_then_left(ctx, library):
    """The recorder detaches while no Python is loaded; afterwards the host continues with Python."""
    with Host(ctx, library) as host:
        host.load(0, library)
        with Watch(ctx, host, 1) as watch:
            host.life(0)
            host.ask("unload 0")
            watch.expect_all()
        host.load(0, library)
        host.life(0)
        host.end()


def two_launched(ctx, first, second, options):
    with Host(ctx, first, launched=options) as host:
        two_lives(host, first, second, "local")
        host.end()
        check_two(expect_launched(host))


def two_attached(ctx, first, second):
    with Host(ctx, first) as host:
        host.load(0, first, "local")
        host.load(1, second, "own")
        for i in (0, 1):
            host.ask(f"init {i}")
        with Watch(ctx, host, 2) as watch:
            for i in (0, 1, 0, 1):
                host.ask(f"run {i} {MARK.format(i)}")
            for i in (0, 1):
                host.ask(f"final {i}")
            host.wait_armed(2)
            for i in (1, 0):
                host.life(i)
            host.wait_armed(2)
            check_two(watch.expect_all())
        for i in (0, 1):
            host.life(i)
        host.end()


def two_lives(host, first, second, how):
    host.load(0, first, how)
    host.wait_armed(1)
    host.ask("init 0")
    host.load(1, second, "own")
    host.wait_armed(2)
    host.ask("init 1")
    for i in (0, 1, 0, 1):
        host.ask(f"run {i} {MARK.format(i)}")
    host.ask("final 1")
    host.wait_armed(2)
    host.life(1)
    host.ask("final 0")
    host.wait_armed(2)


def check_two(events):
    count = collections.Counter(marks(events))
    expect(count[0] >= 2 and count[1] >= 2, lambda: f"marks of the two: {count}")


def second_later(ctx, first, second, options):
    """Attach while one libpython is loaded; another one is loaded during the recording."""
    with Host(ctx, first) as host:
        host.load(0, first, "local")
        with Watch(ctx, host, 1, *options) as watch:
            two_lives_rest(host, second)
            check_two(watch.expect_all())
        host.life(0)
        host.end()


def two_lives_rest(host, second):
    host.ask("init 0")
    host.load(1, second, "own")
    host.wait_armed(2)
    host.ask("init 1")
    for i in (0, 1, 0, 1):
        host.ask(f"run {i} {MARK.format(i)}")
    for i in (1, 0):
        host.ask(f"final {i}")
    host.wait_armed(2)


LOADS = r"""
#include <dlfcn.h>
#include <pthread.h>
static const char code[] =
	"import os, sys\n"
	"sys.audit('fork.mark', 1)\n"
	"child = os.fork()\n"
	"if child == 0:\n"
	"    import _ctypes, _decimal, _json\n"
	"    sys.audit('fork.mark', 2)\n"
	"    os._exit(0)\n"
	"status = os.waitpid(child, 0)[1]\n"
	"sys.audit('fork.mark', 3)\n"
	"os._exit(status and 1)\n";
static void *work(void *path)
{
	void *lib = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
	if (!lib)
		return dlerror();
	((void (*)(void))dlsym(lib, "Py_Initialize"))();
	((int (*)(const char *))dlsym(lib, "PyRun_SimpleString"))(code);
	return "not ended";
}
int main(int argc, char **argv)
{
	pthread_t thread;
	(void)argc;
	pthread_create(&thread, 0, work, argv[1]);
	pthread_join(thread, 0);
	return 3;
}
"""


def loaded_by_a_thread(ctx, library):
    """A thread loads libpython and forks; the child, which has the probe, loads modules: it is not linked a second
    time."""
    if library.loader:
        raise Skip("built for this machine's loader")
    harness.needs_breakpoints(ctx)
    folder = ctx.new_folder("thread-loads")
    program, path = os.path.join(folder, "host"), os.path.join(folder, "capture.avc")
    built = subprocess.run([*os.environ.get("CC", "cc").split(), "-xc", "-", "-o", program, "-ldl", "-lpthread"], input=LOADS, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if built.returncode:
        raise Skip(f"no host can be built: {built.stdout[-200:]}")
    process = subprocess.Popen([ctx.auditview, "record", "-f", "-o", path, "--", program, library.path], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
                               env={key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH")})
    try:
        said = process.communicate(timeout=harness.GUARD)[0]
    except subprocess.TimeoutExpired:
        raise Fail(f"not ended: {harness.session_state(process.pid)}") from None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    expect(process.returncode == 0, lambda: f"the host ended with {process.returncode}: {said[-500:]}")
    found = [e["args"]["0"] for e in harness.Capture(ctx, path).named("fork.mark")]
    expect(sorted(found) == [1, 2, 3], lambda: f"marks {found}")


def nothing_there_yet(ctx, library):
    """An attach before libpython is loaded is refused with the cause and does no harm; once it is loaded, an attach
    works."""
    with Host(ctx, library) as host:
        before = maps_of(host.pid)
        done = subprocess.run([ctx.auditview, "record", "-p", str(host.pid), "-o", os.path.join(host.folder, "x.avc")],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=harness.GUARD)
        expect(done.returncode == 1 and "_PyRuntime" in done.stderr, lambda: f"{done.returncode}: {done.stderr!r}")
        expect(maps_of(host.pid) == before, "the host was changed")
        host.load(0, library)
        with Watch(ctx, host, 1) as watch:
            host.life(0)
            host.wait_armed()
            watch.expect_all()
        host.end()


def cells(ctx):
    found = libraries(ctx)
    if not found:
        yield "embedded", None, lambda: (_ for _ in ()).throw(Skip("no shared libpython found"))
        return
    plain = [x for x in found if not x.debug] or found
    for library in found:
        yield "lives, launched", library, lambda x=library: lives_launched(ctx, x, [])
        yield "lives without a pause", library, lambda x=library: without_a_pause(ctx, x, 20 if ctx.full else 4)
        if library in (plain[0], plain[len(plain) // 2], plain[-1]) or ctx.full:
            yield "lives, attached", library, lambda x=library: lives_attached(ctx, x)
            yield "loaded again, attached", library, lambda x=library: reload_attached(ctx, x)
        if library is not plain[len(plain) // 2] and not ctx.full:
            continue
        yield "loaded by a thread that forks", library, lambda x=library: loaded_by_a_thread(ctx, x)
        yield "lives, launched, not followed", library, lambda x=library: lives_launched(ctx, x, ["--no-follow"])
        yield "lives, launched, named as a loader", library, lambda x=library: lives_launched(ctx, x, [], NAMED)
        yield "no room to come back", library, lambda x=library: no_room_to_come_back(ctx, x)
        for leave in (True, False):
            yield f"{'left' if leave else 'watched'} while it ends", library, lambda x=library, y=leave: left_while_it_ends(ctx, x, y)
        yield "killed while it ends", library, lambda x=library: killed_while_it_ends(ctx, x)
        yield "unloaded, then left", library, lambda x=library: unloaded_then_left(ctx, x)
        yield "before there is Python", library, lambda x=library: nothing_there_yet(ctx, x)
    for i, first in enumerate(plain):
        others = [x for x in plain if x.minor != first.minor and x.loader == first.loader]
        if not others or not ctx.full and i not in (0, len(plain) - 1):
            continue
        second = others[i % len(others)]
        with_ = f"two, with {second.version_text}"
        yield with_ + ", launched", first, lambda a=first, b=second: two_launched(ctx, a, b, [])
        yield with_ + ", attached", first, lambda a=first, b=second: two_attached(ctx, a, b)
        yield f"{second.version_text} loaded later, attached", first, lambda a=first, b=second: second_later(ctx, a, b, [])
        yield f"{second.version_text} loaded later, -f", first, lambda a=first, b=second: second_later(ctx, a, b, ["-f"])
        yield with_ + ", not followed", first, lambda a=first, b=second: two_launched(ctx, a, b, ["--no-follow"])
