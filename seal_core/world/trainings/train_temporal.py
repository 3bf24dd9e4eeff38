"""Training temporal layers on clips of StickerWorld, on top of the tiny model, which stays as it is (ours).

The layers learn with the dual masks of VSD2M: which frames are given changes from clip to clip, and only real frames
that were not given count. A training can stop and resume at any step.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from ...concept.settings import Layers
from ...demo.attribute_values import VALUES
from ...demo.model import SIZE, host, load_model
from ...demo.model_file import MODEL_FILE
from ...files.whole_file import write_output
from ...hosts.base import Context, Host, Prompt
from ...messages import SealError
from ...motion.temporal.clip_host import repeated
from ...motion.temporal.clip_loss import ClipBatch, clip_loss
from ...motion.temporal.draw_clips import draw_clips
from ...motion.temporal.frame_masks import TASKS, known_frames, random_tasks, real_frames
from ...motion.temporal.motion_file import LearnedMotion, learned_motion_bytes
from ...motion.temporal.motion_layers import MotionLayers
from ...motion.temporal.temporal_layers import LAYERS
from ..renderer.captions import frame_captions, prompt
from ..renderer.characters import character
from ..renderer.movements import FRAMES
from .clip_latents import make_clips, movement_of
from .latents import Latents, adopt_vae
from .ready_vae import ready_vae
from .state import Weights, mean, scale_at
from .time_budget import SAVE_SECONDS, WORK, TimeBudget

LEVELS = (100, 400, 700, 900)
"""Training timesteps at which the held-out loss is measured, for the tasks of HELD_OUT_TASKS."""
HELD_OUT_TASKS = ("text", "still")


class MotionTraining:
    """The layers in training and their data; the state is `folder`/motion-LAYER.safetensors.

    options: of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        folder, layer = options.folder, options.layer
        adopt_vae(folder, MODEL_FILE)
        self.device = torch.device(options.device)
        self.tasks = {"text": 1.0} if options.no_condition else dict(TASKS)
        self.vae = ready_vae(folder)
        chunks = make_clips(folder, self.vae, options.clips)
        self.mark, self.clips = chunks.name, Latents(chunks, "run `python -m seal_core.world train motion`")
        self.host: Host = host(load_model(MODEL_FILE, self.device), quick=True)
        self.layers = MotionLayers.of_sites(layer, self.host.sites(), options.sites).to(self.device)
        self.weights = Weights({"motion": self.layers}, torch.bfloat16, options.rate)
        self.state = folder / f"motion-{layer}.safetensors"
        self.about: dict[str, Any] = {"clips": 0, "seconds": 0.0, "run": {}}
        if self.state.exists():
            self.about = self.weights.load(self.state)
            if self.about["latents"] != self.mark:
                raise SealError(f"folder: {self.state} learned other clips; move it away to start anew.")

    def batch(self, count: int) -> ClipBatch:
        """What is drawn depends on the step only, so a resumed training goes on."""
        rng = random.Random(f"motion {self.weights.steps}")
        records = self.clips.draw(rng, count)
        levels = [(i + rng.random()) / count for i in range(count)]
        tasks = random_tasks(rng, count, self.tasks)
        t = torch.tensor(levels).mul(len(self.host.sigmas)).long()
        return self.read(records, t, tasks, rng)

    def read(self, records: np.ndarray, t: Tensor, tasks: list[str], rng: random.Random) -> ClipBatch:
        """Records as a batch at the timesteps t (B,), each with its task."""
        latents, focus = (torch.from_numpy(records[n].astype(np.float32)).to(self.device) for n in ("latents", "focus"))
        counts = [int(n) for n in records["frames"]]
        known = torch.stack([known_frames(task, n, FRAMES, rng) for task, n in zip(tasks, counts)]).to(self.device)
        texts: list[str] = []
        for record in records:
            scene, movement = movement_of(record)
            texts += frame_captions(character(int(record["character"])), scene, movement, rng, FRAMES)
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(rng.getrandbits(62)))
        real = real_frames(torch.tensor(counts, device=self.device), FRAMES)
        sigma = self.host.sigmas[t].to(self.device)
        return ClipBatch(latents, self.context(texts), sigma, noise.to(self.device), known, real, focus)

    @torch.no_grad()
    def context(self, texts: list[str]) -> Context:
        """A row for each text; equal ones are encoded once."""
        known = list(dict.fromkeys(texts))
        encoded = self.host.encode([Prompt(text) for text in known], {})
        return encoded.rows([known.index(text) for text in texts])

    def step(self, count: int, scale: float) -> tuple[float, float]:
        """One step on `count` clips: (loss, norm of the gradient)."""
        loss = clip_loss(self.host, self.layers, self.batch(count))
        loss.backward()
        self.about["clips"] += count
        return float(loss.detach()), self.weights.step(scale)

    def averaged(self) -> MotionLayers:
        """Layers with the averaged weights, in float32."""
        layers = MotionLayers(self.layers.kind, self.layers.widths)
        layers.load_state_dict(self.weights.averaged("motion"))
        return layers.to(self.device).eval()

    @torch.no_grad()
    def held_out(self, layers: MotionLayers | None) -> dict[str, float]:
        """Error on clips of unseen characters, by task and noise level; layers: None for frames drawn independently."""
        result = {}
        for task in HELD_OUT_TASKS:
            for level in LEVELS:
                rng, errors = random.Random(f"held out {task} {level}"), []
                for records in np.array_split(self.clips.held_out, -(-len(self.clips.held_out) // 6)):
                    t = torch.full((len(records),), level)
                    batch = self.read(records, t, [task] * len(records), rng)
                    errors.append(float(clip_loss(self.host, layers, batch)))
                result[f"{task} {level}"] = round(mean(errors), 4)
        return result

    def pictures(self, layers: MotionLayers | None, cfg: float = 4.0, steps: int = 20) -> Image.Image:
        """A film strip for each action: of text alone, and below it of a held-out clip's first frame and its text."""
        rows = [(f"a {s}", VALUES["action"][i]) for i, s in enumerate(("cat", "dog", "rabbit", "bear", "frog", "pig"))]
        said = [{"emotion": "happy", "action": a, "camera": "full body", "background": "plain mint"} for _, a in rows]
        asked = self.context([prompt(s, attributes) for (s, _), attributes in zip(rows, said)])
        told = self.drawn(layers, asked, cfg, steps)
        kept = _first_of_each_action(self.clips.held_out)
        given = torch.from_numpy(kept["latents"].astype(np.float32)).to(self.device)
        movements = [(character(int(r["character"])), *movement_of(r)) for r in kept]
        asked = self.context([prompt(f"a {who.main} {who.species}", scene.asdict()) for who, scene, _ in movements])
        return _strips([told, self.drawn(layers, asked, cfg, steps, given), self._decoded(given)])

    def drawn(
        self, layers: MotionLayers | None, asked: Context, cfg: float, steps: int, given: Tensor | None = None
    ) -> Tensor:
        """Pictures (B, F, H, W, 3) for B contexts. given: (B, F, 4, h, w), of which the first frames are known."""
        known = None
        if given is not None:
            known = torch.zeros(given.shape[:2], dtype=torch.bool)
            known[:, 0] = True
        context = repeated(asked, FRAMES)
        return draw_clips(
            self.host, layers, context, FRAMES, side=SIZE, steps=steps, cfg=cfg, seed=0, known=known, given=given
        )

    def _decoded(self, latents: Tensor) -> Tensor:
        return self.host.decode_latents(latents.flatten(0, 1)).unflatten(0, latents.shape[:2])

    def save(self) -> None:
        self.weights.save(self.state, {**self.about, "latents": self.mark})


def _first_of_each_action(records: np.ndarray) -> np.ndarray:
    found = {}
    for record in records:
        scene, movement = movement_of(record)
        if scene.camera == "full body" and record["frames"] == FRAMES and not movement.becomes:
            found.setdefault(scene.action, record)
    return np.stack([found[action] for action in VALUES["action"] if action in found])


def _strips(parts: list[Tensor]) -> Image.Image:
    """Clips (B, F, H, W, 3) of several parts as rows, the parts one below the other."""
    rows = torch.cat([part.permute(0, 2, 1, 3, 4).flatten(0, 1).flatten(1, 2) for part in parts])
    return Image.fromarray((rows * 255).round().byte().numpy())


def train_motion(options: argparse.Namespace) -> MotionTraining:
    """Run the training of the command line."""
    job = MotionTraining(options)
    run = TimeBudget(job.about, options.minutes, job.weights.steps, options.new_run)
    losses: deque[float] = deque(maxlen=100)
    log_file = job.state.with_suffix(".jsonl")
    with tqdm(total=100, unit="%", desc=options.layer, mininterval=5) as bar, log_file.open("a") as log:
        while run.done < 1:
            scale = scale_at(run.done, job.weights.steps - run.first_step)
            loss, norm = job.step(options.batch, scale)
            losses.append(loss)
            run.tick()
            bar.n = round(100 * run.done, 1)
            bar.set_postfix(step=job.weights.steps, loss=f"{mean(losses):.4f}", norm=f"{norm:.2f}", refresh=False)
            bar.update(0)
            if run.due("save", SAVE_SECONDS):
                job.save()
                line: dict[str, Any] = {"step": job.weights.steps, "clips": job.about["clips"]}
                line |= {"seconds": round(job.about["seconds"]), "loss": round(mean(losses), 5), "norm": round(norm, 4)}
                if run.due("look", 60 * options.pictures_every):
                    line |= look_at_motion(job)
                log.write(json.dumps(line) + "\n")
                log.flush()
    return job


def look_at_motion(job: MotionTraining) -> dict[str, float]:
    """Measure on held-out clips, and write film strips and the current layers, as a motion of every prompt."""
    layers = job.averaged()
    figures = job.held_out(layers)
    job.pictures(layers).save(job.state.with_name(f"{job.state.stem}-{job.weights.steps:06d}.png"))
    seconds = round(job.about["seconds"])
    report = {"steps": job.weights.steps, "clips": job.about["clips"], "seconds": seconds, "held_out": figures}
    motion = LearnedMotion(layers, FRAMES, Layers(), "", report)
    write_output(job.state.with_name(f"{job.state.stem}-layers.safetensors"), learned_motion_bytes(motion))
    return figures


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--layer", choices=tuple(LAYERS), default="sti", help="kind of temporal layer (%(default)s)")
    add("--folder", type=Path, default=WORK, help="states of the trainings (%(default)s)")
    add("--minutes", type=float, default=120, help="time budget of a new run; a stopped run goes on to its own end")
    add("--new-run", action="store_true", help="begin a new run (learning rate up again) even if the last was stopped")
    add("--clips", type=int, default=2000, help="encode until there are so many; existing ones count (%(default)s)")
    add("--batch", type=int, default=4, help="clips a step (%(default)s)")
    add("--rate", type=float, default=2e-3, help="highest learning rate of matrices (%(default)s)")
    add("--sites", default="all", metavar="LAYERS", help="where: all, or say mid, up.0-3 (%(default)s)")
    add("--no-condition", action="store_true", help="train without given frames: the ablation of the condition mask")
    add("--pictures-every", type=float, default=15, metavar="MINUTES", help="film strips (%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    job = train_motion(options)
    alone = {f"alone {name}": value for name, value in job.held_out(None).items()}
    print(json.dumps({"state": str(job.state), "steps": job.weights.steps} | job.held_out(job.averaged()) | alone))
