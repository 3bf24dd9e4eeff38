"""What all commands share: texts, notices, help, signals."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from command_line import names, train_arguments

from seal_core import messages as texts
from seal_core.__main__ import main as start
from seal_core.cli import main as cli
from seal_core.cli import train as cli_train

LOADING = "loading PyTorch (seconds; longer the first time)\n"

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("command", "option"), [("train", "prompts"), ("pack", "emoji")])
def test_every_text_of_a_list_is_checked(tmp_path, capsys, command, option):
    """Before the model is loaded or anything is read."""
    given = {
        "train": ["--model", "none", "--image", "none.png", "--class-word", "cat", "--name", "a"],
        "pack": ["none", "--platform", "telegram", "--title", "T", "--author", "A", "--out", str(tmp_path)],
    }
    assert cli.main([command, *given[command], f"--{option}", "a sticker of {}", "bad \udcff {}"]) == 2
    assert re.match(rf"error: {option}: .*udcff.* is no valid text", capsys.readouterr().err)


def test_what_is_told_is_a_line_each(monkeypatch, capsys):
    """Whichever command notices something, it never shows as Python's own warning with a source line."""

    def command(options):
        texts.notify_user("image: noticed.")
        warnings.warn("another's", UserWarning, stacklevel=1)
        with texts.collected_notices() as messages:
            texts.notify_user("image: gathered.")
        assert messages == ["image: gathered."]

    monkeypatch.setattr(
        cli, "_function", lambda path: command if path == cli.COMMANDS["demo"].work else lambda parser: None
    )
    with warnings.catch_warnings(record=True) as others:
        warnings.simplefilter("always")
        assert cli.main(["demo"]) == 0
    assert capsys.readouterr().err == "warning: image: noticed.\n"
    assert [str(w.message) for w in others] == ["another's"]


@pytest.mark.parametrize("nothing", ["", "  "])
def test_an_empty_out_is_refused(trained, model, sticker, tmp_path, capsys, monkeypatch, nothing):
    """As from a shell variable that is not set: it was taken for the current folder."""
    monkeypatch.chdir(tmp_path)
    generate = ["generate", "--model", str(model), "--embedding", str(trained / "my-cat.safetensors")]
    generate += ["--prompt", "my-cat", "--out", nothing]
    for arguments in (train_arguments(model, sticker, nothing), generate, ["demo", "--out", nothing]):
        assert cli.main(arguments) == 2
        assert capsys.readouterr().err.splitlines()[-1] == "error: out: empty; give a folder (. is the current one)."
    assert names(tmp_path) == []


def test_out_of_memory_is_one_line(capsys, monkeypatch):
    def full(options):
        raise MemoryError

    monkeypatch.setattr(cli_train, "run", full)
    assert cli.main(["train", "--model", "m", "--image", "a", "--class-word", "c", "--name", "n"]) == 2
    assert "--batch-size 1" in capsys.readouterr().err


@pytest.mark.parametrize("command", [(), ("train",), ("generate",), ("pack",)], ids=lambda command: " ".join(command))
def test_help_needs_no_torch(command):
    code = "import runpy, sys; sys.modules['torch'] = None; runpy.run_module('seal_core', run_name='__main__')"
    run = [sys.executable, "-c", code, *command, "--help"]
    done = subprocess.run(run, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and f"usage: python -m seal_core {' '.join(command)}".rstrip() in done.stdout, done


def test_every_command_is_there():
    for name, command in cli.COMMANDS.items():
        assert callable(cli._function(command.work)), name
        text = cli.parser([name]).format_help()
        assert name in text and command.help in " ".join(text.split())


STOPPED = """
import sys, time
from pathlib import Path
from seal_core.cli import main as cli
from seal_core.files import whole_file

def work(options):
    with whole_file._hidden(Path(options.out), "half", b"half of it"):
        print("working", flush=True)
        time.sleep(60)

cli._function = lambda path, real=cli._function: work if path == cli.COMMANDS["generate"].work else real(path)
sys.exit(cli.main())
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_in_the_middle_of_a_file(tmp_path, name):
    """A real process that is about to give a file its name: a status of its own, one line, no file."""
    given = ["generate", "--model", "m", "--embedding", "e", "--prompt", "p", "--out", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, *given],
        cwd=ROOT,
        text=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # A shell starts jobs in the background with signals ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(getattr(signal, name), signal.SIG_DFL),
    )
    try:
        assert process.stdout.readline() == "working\n"
        assert len(names(tmp_path)) == 1
        process.send_signal(getattr(signal, name))
        error = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert (process.returncode, error) == (
        128 + getattr(signal, name),
        f"{LOADING}\nstopped; no file is half-written.\n",
    )
    assert names(tmp_path) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_control_c_in_a_real_training(model, sticker, tmp_path):
    """`python -m seal_core train`, interrupted in the middle: status 130, no file."""
    arguments = [sys.executable, "-m", "seal_core", *train_arguments(model, sticker, tmp_path, "--steps", "100000")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        seen = b""
        while b"loss=" not in seen:
            seen += os.read(process.stderr.fileno(), 4096)
            assert process.poll() is None, seen
        process.send_signal(signal.SIGINT)
        error = process.communicate(timeout=30)[1]
    finally:
        process.kill()
    assert process.returncode == 130 and b"stopped" in error and b"Traceback" not in error
    assert names(tmp_path) == []


def test_the_first_line_comes_before_torch_is_read(monkeypatch, capsys):
    seen = []
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(cli, "_function", lambda path: lambda options: seen.append(capsys.readouterr().err))
    assert cli.main(["demo"]) == 0 and cli.main(["pack"]) == 0
    assert (seen[1], seen[3]) == (LOADING, ""), "after the options, before the work; packs need no torch"


def test_ctrl_c_while_it_is_still_being_imported(monkeypatch, capsys):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("seal_core.cli.main.main", interrupted)
    assert start() == 130
    assert capsys.readouterr().err == "\nstopped; nothing was begun.\n"
