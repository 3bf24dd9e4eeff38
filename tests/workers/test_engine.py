"""One engine: the same results in this process and in several, failures as values, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from worker_jobs import FarSquares, Squares

from seal_core.messages import SealError
from seal_core.workers.engine import HERE, Engine
from seal_core.workers.worker_job import Failure

ROOT = Path(__file__).parents[2]
ENGINES = {"here": HERE, "processes": Engine(2)}


def started(folder: Path) -> list[int]:
    return [int(path.name.removeprefix("started-")) for path in folder.glob("started-*")]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def gone(pids: list[int], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and any(map(alive, pids)):
        time.sleep(0.1)
    return not any(map(alive, pids))


@pytest.mark.parametrize("together", [1, 3])
@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_results_and_failures_are_values(tmp_path: Path, engine: Engine, together: int) -> None:
    tasks = [1, 2, "bad", 3, "bug", "memory", 4, 5]
    found = dict(engine.results(Squares(tmp_path, together=together), tasks))
    assert [found[n] for n in (1, 2, 3, 4, 5)] == [1, 4, 9, 16, 25] and set(found) == set(tasks)
    assert found["bad"] == Failure("image: is bad; give another.")
    assert "KeyError: 'nobody expects this'" in found["bug"].reason and "work" in found["bug"].trace
    assert found["memory"].reason.startswith("out of memory") and not found["memory"].trace
    assert 1 <= len(started(tmp_path)) <= engine.jobs, "each worker prepares once"
    assert list(engine.results(Squares(tmp_path, "never asked"), [])) == []


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)
def test_workers_that_cannot_begin_end_it(tmp_path: Path, engine: Engine) -> None:
    with pytest.raises(SealError, match="model: is not there"):
        list(engine.results(Squares(tmp_path, "model: is not there"), [1, 2, 3]))


@pytest.mark.parametrize("together", [1, 2])
def test_a_task_that_kills_its_process_stops_no_other(tmp_path: Path, together: int) -> None:
    """Nor those that it was handed out with: they are tried again without it."""
    once = ["kill once"] if together == 1 else []  # under way with "kill" it would be tried alone at its first kill
    found = dict(Engine(2).results(Squares(tmp_path, together=together), [1, "kill", 2, *once, 3, 4]))
    assert [found[n] for n in (1, 2, 3, 4)] == [1, 4, 9, 16] and all(found[name] == name for name in once)
    assert isinstance(found["kill"], Failure) and "died twice" in found["kill"].reason


def test_closing_ends_the_workers_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    with closing(Engine(2).results(Squares(tmp_path), [1, "sleep", "sleep"])) as results:
        assert next(results) == (1, 1)
    assert gone(started(tmp_path), 1) and time.monotonic() - begun < 50


SCRIPT = """
import sys
from pathlib import Path
from worker_jobs import Squares
from seal_core.workers.engine import Engine
if __name__ == "__main__":
    for _ in Engine(2).results(Squares(Path(sys.argv[1])), [1, 2, "sleep", "sleep"]):
        pass
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests/support")])
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env={**os.environ, "PYTHONPATH": paths})
    try:
        while len(started(tmp_path)) < 2:
            assert parent.poll() is None
            time.sleep(0.1)
        workers = started(tmp_path)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert gone(workers), "workers outlive their parent"


def test_without_ray_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        SealError, match=r'ray: Ray is not installed; install it: pip install "seal-stickers\[cluster\]"'
    ):
        list(Engine(ray="local").results(Squares(tmp_path), [1]))


# -- on Ray, where it is installed -----------------------------------------------------------------


@pytest.fixture
def paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's workers find the test's job."""
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests/support")]))


@pytest.mark.usefixtures("paths")
@pytest.mark.parametrize("together", [1, 3])
def test_ray_gives_what_processes_give_and_survives_lost_workers(tmp_path: Path, together: int) -> None:
    tasks = [1, "bad", 2, "kill once", 3, "kill", "bug", 4]
    found = dict(Engine(2, "local").results(Squares(tmp_path, together=together), tasks))
    assert [found[n] for n in (1, 2, 3, 4)] == [1, 4, 9, 16] and found["kill once"] == "kill once"
    assert found["bad"] == Failure("image: is bad; give another.") and "KeyError" in found["bug"].reason
    assert "died 3 times" in found["kill"].reason
    with pytest.raises(SealError, match="model: is not there"), pytest.warns(UserWarning, match="left out"):
        list(Engine(1, "local").results(Squares(tmp_path, "model: is not there"), [1, 2]))


@pytest.mark.usefixtures("paths")
def test_far_workers_get_and_give_values(tmp_path: Path) -> None:
    found = dict(Engine(2, "local").results(FarSquares(tmp_path), [1, 2, 3]))
    assert found == {n: ("received", (n + 1) ** 2) for n in (1, 2, 3)}
