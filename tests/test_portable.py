"""Nothing in the packages needs what Windows or macOS lack, but where a file says how it does without.

What is told here by reading the code; ``test_elsewhere.py`` runs it with those names taken away.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .support import ROOT

MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}

OS = set(
    """
chroot confstr ctermid fchdir fchmod fchown fork forkpty getegid geteuid getgid getgroups getloadavg getpgid getpgrp
getpriority getsid getuid initgroups killpg lchown major mkfifo mknod nice pathconf pipe2 posix_fadvise
posix_fallocate posix_spawn pread pwrite sched_getaffinity sched_getparam sched_setaffinity sched_yield sendfile
setegid seteuid setgid setpgid setpriority setsid setuid statvfs sync sysconf tcgetpgrp uname wait3 wait4 waitid
WIFSIGNALED WTERMSIG
""".split()  # noqa: SIM905
)

SIGNALS = set(
    """
SIGALRM SIGBUS SIGCHLD SIGCONT SIGHUP SIGIO SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGUSR1 SIGUSR2
SIGWINCH alarm pause pthread_kill pthread_sigmask setitimer sigpending sigwait
""".split()  # noqa: SIM905
)

LACKING = {
    *(f"os.{name}" for name in OS),
    *(f"signal.{name}" for name in SIGNALS),
    "shlex.split",
    "subprocess.pass_fds",
}

GUARDED = {
    "vs_interp/cli/start.py": {"signal.pthread_sigmask"},
    "vs_interp/films/unfinished.py": {"fcntl"},
    "vs_interp/host.py": {"os.sched_getaffinity", "os.sched_setaffinity", "resource"},
    "vs_interp/memory.py": {"os.confstr"},
    "vs_interp/training/failures.py": {"signal.SIGCHLD"},
    "vs_interp/training/pause.py": {"signal.SIGUSR1"},
}
"""File → what it uses where the system has it, and does without elsewhere."""


def used(tree: ast.AST) -> Iterator[str]:
    """Give the names of what only some systems have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in LACKING:
                yield name
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & MODULES
        elif isinstance(node, ast.ImportFrom):
            if node.module in MODULES:
                yield str(node.module)
            yield from {f"{node.module}.{alias.name}" for alias in node.names} & LACKING
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value == "pipe:":
            yield "a descriptor for libav"
        elif isinstance(node, ast.keyword) and node.arg in ("pass_fds", "preexec_fn"):
            yield node.arg


def opened_without_encoding(tree: ast.AST) -> Iterator[int]:
    """Give the lines that read or write text in whatever encoding the system has."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or {"encoding", "format"} & {word.arg for word in node.keywords}:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        text = {word.arg: word.value for word in node.keywords}.get("text")
        if name in ("read_text", "write_text") or text is not None or (name == "open" and _is_text(node)):
            yield node.lineno


def _is_text(node: ast.Call) -> bool:
    """Whether an ``open`` is one of text files: the built-in, or a path's with a mode."""
    builtin = isinstance(node.func, ast.Name)
    modes = node.args[1 if builtin else 0 :][:1]
    if not modes:
        return builtin  # what other objects open has no encoding
    mode = modes[0].value if isinstance(modes[0], ast.Constant) else None
    return isinstance(mode, str) and set(mode) <= set("rwxat+") and len(mode) <= 3


def test_nothing_needs_one_system() -> None:
    for folder in ("vs_interp", "trt_build", "filters", "benchmarks"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            tree, name = ast.parse(file.read_text(encoding="utf-8")), file.relative_to(ROOT).as_posix()
            assert set(used(tree)) <= GUARDED.get(name, set()), name
            assert list(opened_without_encoding(tree)) == [], f"{name}: give encoding='utf-8'"


def test_the_check_sees_what_it_forbids() -> None:
    code = (
        "import resource\nfrom os import fork\nfrom shlex import split\nimport os, signal\n"
        "os.sched_getaffinity(0)\nsignal.SIGUSR1\nav.open(f'pipe:{number}', 'w')\nrun(preexec_fn=nothing)\n"
    )
    assert set(used(ast.parse(code))) == {
        "resource", "os.fork", "shlex.split", "os.sched_getaffinity", "signal.SIGUSR1", "a descriptor for libav",
        "preexec_fn",
    }  # fmt: skip
    code = "open('a')\npath.open('w')\npath.read_text()\nrun(text=True)\npath.open('rb')\nopen('a', 'wb')\n"
    assert list(opened_without_encoding(ast.parse(code))) == [1, 2, 3, 4]
