"""The batch command on a tiny model: bad pictures stop nothing, a rerun finds what is done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from command_line import names
from PIL import Image, ImageDraw

from seal_core.cli import batch as cli_batch
from seal_core.cli import batch_job
from seal_core.cli.batch_job import BatchJob, Parcel, SameDisk
from seal_core.cli.main import main
from seal_core.concept.concept_file import load_concept
from seal_core.messages import SealError

QUICK = ("--preset", "textual_inversion", "--steps", "1", "--resolution", "64", "--device", "cpu")


@pytest.fixture(scope="module")
def stickers(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stickers")
    for place, name in enumerate(("cat/one.png", "cat/two.png")):
        image = Image.new("RGB", (96, 96), (235, 240, 250))
        ImageDraw.Draw(image).ellipse((20, 20, 70 + 5 * place, 80), fill=(220, 120 * place, 30))
        (folder / name).parent.mkdir(exist_ok=True)
        image.save(folder / name)
    mask = Image.new("L", (96, 96), 0)
    ImageDraw.Draw(mask).ellipse((20, 20, 75, 80), fill=255)
    mask.save(folder / "cat/two.mask.png")
    (folder / "cat/broken.png").write_bytes((folder / "cat/one.png").read_bytes()[:100])
    (folder / "cat/text.png").write_text("no picture")
    Image.new("RGBA", (64, 64), (9, 9, 9, 0)).save(folder / "cat/clear.png")
    (folder / "nameless.png").write_bytes((folder / "cat/one.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def learned(model, stickers, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("learned")
    assert main(arguments(model, stickers, out)) == 2
    return out


def arguments(model: Path, stickers: Path, out: Path, *more: str) -> list[str]:
    return ["batch", str(stickers), "--model", str(model), "--out", str(out), *QUICK, *more]


def rows(out: Path) -> dict[str, dict]:
    return {row["picture"]: row for row in map(json.loads, (out / "index.jsonl").read_text().splitlines())}


def content(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def no_training(*_, **__):
    raise AssertionError("learned again")


def test_every_picture_gets_a_row_and_good_ones_a_concept(learned: Path, stickers: Path) -> None:
    found = rows(learned)
    done = {name for name, row in found.items() if row["state"] == "done"}
    assert done == {"cat/one.png", "cat/two.png"} and len(found) == 6
    assert names(learned / "concepts") == [
        *("cat-one.jpg", "cat-one.json", "cat-one.mask.png", "cat-one.safetensors"),
        *("cat-two.jpg", "cat-two.json", "cat-two.safetensors"),
    ]
    assert "class_word: nothing says" in found["nameless.png"]["error"]
    assert "image: cat/text.png is no picture" in found["cat/text.png"]["error"]
    assert "fully transparent" in found["cat/clear.png"]["error"] and "truncated" in found["cat/broken.png"]["error"]
    row = found["cat/two.png"]
    assert (
        row["class_word"] == "cat" and row["mask"]["method"] == "given" and set(row["scores"]) >= {"learned", "leaks"}
    )
    assert load_concept(learned / row["file"]).name == "<cat-two>"
    assert str(stickers) not in (learned / "index.html").read_text(), "errors name files as the index does"
    assert names(learned) == ["concepts", "index.html", "index.jsonl"]


def test_a_rerun_learns_nothing_and_writes_the_same_bytes(learned, model, stickers, tmp_path, monkeypatch) -> None:
    shutil.copytree(learned, tmp_path / "out")
    for name in ("index.jsonl", "index.html"):
        (tmp_path / "out" / name).unlink()
    monkeypatch.setattr(batch_job, "train", no_training)
    assert main(arguments(model, stickers, tmp_path / "out")) == 2
    assert content(tmp_path / "out") == content(learned)


def test_what_was_killed_goes_on(learned, model, stickers, tmp_path, monkeypatch) -> None:
    """Ctrl-C during the second picture; then a rerun ends where an undisturbed run does."""
    real, done = batch_job.train, []

    def train(*given, **more):
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return real(*given, **more)

    monkeypatch.setattr(batch_job, "train", train)
    assert main(arguments(model, stickers, tmp_path)) == 130
    assert [name for name in names(tmp_path / "concepts") if name.endswith("safetensors")] == ["cat-one.safetensors"]
    assert rows(tmp_path)["cat/one.png"]["state"] == "done" and ".batch.seen" not in names(tmp_path)
    monkeypatch.setattr(batch_job, "train", real)
    assert main(arguments(model, stickers, tmp_path)) == 2
    assert content(tmp_path) == content(learned)


def test_pictures_are_learned_together(learned, model, stickers, tmp_path, monkeypatch) -> None:
    """All five tasks in one handful: the bad ones fail alone, and the good ones share every pass."""
    shared, real = [], batch_job.train

    def train(*given, passes, **more):
        shared.append(passes.shared_by)
        return real(*given, passes=passes, **more)

    monkeypatch.setattr(batch_job, "train", train)
    assert main(arguments(model, stickers, tmp_path, "--together", "5")) == 2
    assert shared == [5, 5]
    found, alone = rows(tmp_path), rows(learned)
    for name, row in found.items():
        numbers = ("scores", "mask")
        assert {**row, **dict.fromkeys(numbers)} == {**alone[name], **dict.fromkeys(numbers)}, "also the errors"
        assert row["scores"] == pytest.approx(alone[name]["scores"], abs=1e-3) and row["mask"] == alone[name]["mask"]
    assert content(tmp_path).keys() == content(learned).keys()
    for name in ("cat-one", "cat-two"):
        one, other = (load_concept(out / f"concepts/{name}.safetensors").vectors for out in (tmp_path, learned))
        assert all(vectors.allclose(other[encoder], atol=1e-4) for encoder, vectors in one.items())
    monkeypatch.setattr(batch_job, "train", no_training)
    before = content(tmp_path)
    assert main(arguments(model, stickers, tmp_path)) == 2, "what was learned together is not learned again alone"
    assert content(tmp_path) == before


def test_what_was_killed_together_goes_on(model, stickers, tmp_path, monkeypatch) -> None:
    """Ctrl-C when one of two that are learned together is written: it stays, and the other is learned again."""
    store, alone = batch_job.store_concept, []

    def stored(*given):
        if alone:
            raise KeyboardInterrupt
        alone.append(1)
        return store(*given)

    monkeypatch.setattr(batch_job, "store_concept", stored)
    assert main(arguments(model, stickers, tmp_path, "--together", "5")) == 130
    assert [name for name in names(tmp_path / "concepts") if name.endswith("safetensors")] == ["cat-one.safetensors"]
    before = (tmp_path / "concepts/cat-one.safetensors").read_bytes()
    monkeypatch.setattr(batch_job, "store_concept", store)
    assert main(arguments(model, stickers, tmp_path, "--together", "5")) == 2
    assert rows(tmp_path)["cat/two.png"]["state"] == "done" and ".batch.seen" not in names(tmp_path)
    assert (tmp_path / "concepts/cat-one.safetensors").read_bytes() == before


def test_what_changes_is_learned_anew_and_the_old_file_stays(learned, model, stickers, tmp_path, capsys) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(stickers, folder)
    shutil.copytree(learned, out)
    before = content(out)
    ImageDraw.Draw(image := Image.open(folder / "cat/two.png")).rectangle((30, 30, 40, 40), fill=(0, 0, 255))
    image.save(folder / "cat/two.png")
    for bad in ("cat/broken.png", "cat/text.png", "cat/clear.png", "nameless.png"):
        (folder / bad).unlink()
    assert main(arguments(model, folder, out)) == 0
    assert rows(out)["cat/two.png"]["name"] == "cat-two-2" and "is saved as cat-two-2" in str(rows(out)["cat/two.png"])
    assert content(out)["concepts/cat-two.safetensors"] == before["concepts/cat-two.safetensors"]
    assert "2 of 2 pictures learned, 1 of them before" in capsys.readouterr().out


def test_a_far_worker_gives_the_same_files(learned, model, stickers, tmp_path, monkeypatch) -> None:
    """One that sees none of our files, gets their content and gives content back."""

    class FarEngine:
        def __init__(self, *_):
            pass

        def results(self, job: BatchJob, tasks):
            job.disk = SameDisk(tmp_path / "not here", "", ())
            state = job.prepare(0)
            assert job.is_far(state)
            for task in tasks:
                sent = job.sent(task)
                hidden = Path(f"{task.picture.image}.away")
                task.picture.image.rename(hidden)
                try:
                    result = job.work(state, sent)
                except SealError as error:
                    yield task, cli_batch.Failure(str(error))
                else:
                    assert isinstance(result, Parcel) and "cat-one.json" not in names(tmp_path)
                    yield task, job.received(task, result)
                finally:
                    hidden.rename(task.picture.image)

    monkeypatch.setattr(cli_batch, "Engine", FarEngine)
    assert main(arguments(model, stickers, tmp_path)) == 2
    assert content(tmp_path) == content(learned)


def test_prompts_are_drawn_and_packed_once(learned, model, stickers, tmp_path, monkeypatch) -> None:
    out, prompts = tmp_path / "out", tmp_path / "prompts.txt"
    shutil.copytree(learned, out)
    prompts.write_text("a sad {}\n\na happy {} jumping\n")
    monkeypatch.setattr(batch_job, "train", no_training)
    drawing = ("--prompts", str(prompts), "--sampling-steps", "1", "--pack", "plain")
    assert main(arguments(model, stickers, out, *drawing)) == 2
    row = rows(out)["cat/one.png"]
    assert row["pictures"] == ["pictures/cat-one/01-a_sad.png", "pictures/cat-one/02-a_happy_jumping.png"]
    assert (out / row["pack"] / "pack.json").exists() and row["pack"] == "packs/cat-one-plain"
    monkeypatch.setattr(batch_job, "drawn_files", no_training)
    before = content(out)
    assert main(arguments(model, stickers, out, *drawing)) == 2
    assert content(out) == before


@pytest.mark.parametrize(
    "more, words",
    [
        (["--jobs", "-1"], "jobs: -1"),
        (["--threads", "0"], "threads: 0"),
        (["--together", "0"], "together: 0"),
        (["--steps", "-4"], "steps: -4"),
        (["--pack", "plain"], "pack: nothing is drawn"),
        (["--prompts", "/nowhere"], "prompts: /nowhere cannot be read"),
        (["--tags", "/nowhere.csv"], "tags: /nowhere.csv is not there"),
    ],
)
def test_bad_options_name_themselves(model, stickers, tmp_path, capsys, more, words) -> None:
    assert main(arguments(model, stickers, tmp_path / "out", *more)) == 2
    assert f"error: {words}" in capsys.readouterr().err and not (tmp_path / "out/concepts").exists()


def test_check_lists_what_cannot_be_used_and_learns_nothing(model, stickers, tmp_path, capsys) -> None:
    (tmp_path / "tags.csv").write_text("image,class\none.png,cat\ngone.png,cat\n")
    shutil.copy(stickers / "cat/one.png", tmp_path / "one.png")
    (tmp_path / "fake.png").write_text("x")
    assert main(["batch", str(tmp_path), "--out", str(tmp_path / "out"), "--check", "--class-word", "cat"]) == 2
    said = capsys.readouterr()
    assert "tags.csv, line 3: image: gone.png is not there" in said.out and "fake.png: image: " in said.out
    assert "2 of 3 pictures" in said.err and not (tmp_path / "out").exists()


def test_a_broken_file_is_no_finished_work(learned, tmp_path) -> None:
    from seal_core.batch.concept_store import ConceptStore

    shutil.copytree(learned, tmp_path / "out")
    report = json.loads((tmp_path / "out/concepts/cat-one.json").read_text())
    assert ConceptStore(tmp_path / "out").row(report["batch"]["key"]).name == "cat-one"
    file = tmp_path / "out/concepts/cat-one.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    assert ConceptStore(tmp_path / "out").row(report["batch"]["key"]) is None


def test_quality_counts_on_the_included_model_too():
    from argparse import Namespace

    from seal_core.cli.included import take_tuned
    from seal_core.demo.tuned_presets import tuned_preset

    given = {"preset": "best_embedding", "learning_rate": 0, "batch_size": 0, "weights_rate": 0}
    steps = {}
    for quality, own in (("quick", 0), ("normal", 0), ("thorough", 0), ("quick", 7)):
        options = Namespace(**given, quality=quality, steps=own)
        take_tuned(options)
        steps[quality, own] = options.steps
    tuned = tuned_preset("best_embedding").steps
    assert steps["quick", 0] == tuned / 2 and steps["normal", 0] == tuned and steps["thorough", 0] == 2 * tuned
    assert steps["quick", 7] == 7
