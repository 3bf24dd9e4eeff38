"""Training the tiny model's U-Net and text encoder together on latents of renders (ours).

v-prediction (Salimans & Ho 2022) on Stable Diffusion's noise schedule; noise levels are stratified over a batch. The
loss is weighted by each render's focus map (the face counts most, since emotions are a few cells of 256). Above a
signal-to-noise ratio of 5 it falls as min-SNR (Hang et al. 2023) does relative to plain v-prediction, so that detail of
the last steps does not crowd out layout. A training can stop and resume at any step, on CPU or CUDA.
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
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from ...demo.animals import SPECIES
from ...demo.attribute_values import VALUES
from ...demo.model import SIZE, TOKENS, TinyModel, build, host, load_model, moved, save_model, used_ids
from ...demo.model_file import TABLE, VOCABULARY
from ...hosts.base import Prompt
from ...messages import SealError
from ...method.sampling import sample
from ..renderer import seeds
from ..renderer.captions import OPENINGS, caption, prompt
from ..renderer.characters import character
from ..renderer.scenes import random_scene
from .latents import Latents, latents_fingerprint, scene_of
from .ranks import Ranks
from .ready_vae import ready_vae
from .state import Weights, mean, scale_at
from .time_budget import SAVE_SECONDS, WORK, TimeBudget

STATE = "unet.safetensors"
GAMMA = 5.0
REFRESH = 100
"""Steps between checks for new latents."""
LEVELS = (100, 300, 500, 700, 900)
"""Training timesteps at which the held-out loss is measured."""
GRID = (
    ("a cat", {"emotion": "happy", "action": "waving", "camera": "full body", "background": "beach"}),
    ("a dog", {"emotion": "sad", "action": "sitting", "camera": "full body", "background": "forest"}),
)


class Text(nn.Module):
    """The text encoder with only the token rows that captions use: no optimiser state for 49,000 others."""

    def __init__(self, model: TinyModel, ids: tuple[int, ...]) -> None:
        super().__init__()
        self.ids = ids
        self.encoder = model.text_encoder
        table = self.encoder.get_input_embeddings().get_parameter("weight").detach()
        self.encoder.set_input_embeddings(nn.Embedding.from_pretrained(table[list(ids)].clone(), freeze=False))
        self._tokenizer = model.tokenizer.backend_tokenizer
        # `ids` comes from so many captions that no word is missing; if one were, it would read as the end of text
        lookup = torch.full((VOCABULARY,), len(ids) - 1)
        lookup[list(ids)] = torch.arange(len(ids))
        self._lookup = lookup

    def tokens(self, texts: list[str]) -> Tensor:
        """(B, TOKENS) rows of the small table."""
        rows = torch.full((len(texts), TOKENS), VOCABULARY - 1)
        for row, encoding in zip(rows, self._tokenizer.encode_batch(texts)):
            ids = encoding.ids[: TOKENS - 1]
            row[: len(ids)] = torch.tensor(ids)
        return self._lookup[rows]

    def forward(self, tokens: Tensor) -> Tensor:
        return self.encoder(input_ids=tokens).last_hidden_state


def caption_token_ids(model: TinyModel, count: int = 20_000) -> tuple[int, ...]:
    """Ids of all tokens in captions."""
    rng = random.Random("vocabulary")
    texts = {caption(character(rng.choice(seeds.TRAIN)), random_scene(rng), rng) for _ in range(count)}
    words = [word for name in VALUES for word in VALUES[name]]
    return used_ids(model.tokenizer, [*texts, *OPENINGS, *words, *(prompt(s, a) for s, a in grid_prompts())])


def grid_prompts() -> list[tuple[str, dict[str, str]]]:
    """(subject, attributes) of the 16 sample pictures: two detailed ones, then every species in random scenes."""
    rng, rows = random.Random(3), list(GRID)
    for i in range(14):
        scene = random_scene(rng, camera="full body" if i % 2 else "close-up").asdict()
        rows.append((f"a {SPECIES[i % len(SPECIES)]}", scene))
    return rows


def loss_weights(kept: Tensor) -> Tensor:
    """Weight of v-prediction errors at signal shares alpha-bar `kept`: 1 up to SNR = GAMMA, then falling as 1 / SNR."""
    snr = kept / (1 - kept)
    return (snr.clamp(max=GAMMA) + 1) / (snr + 1)


def v_loss(unet: nn.Module, latents: Tensor, noise: Tensor, t: Tensor, kept: Tensor, context: Tensor, focus: Tensor):
    """Weighted error (B,) of v = a eps - s x_0 at timesteps t (B,) with alpha-bar `kept` (B,). focus: (B, H, W)."""
    a, s = kept.sqrt().view(-1, 1, 1, 1), (1 - kept).sqrt().view(-1, 1, 1, 1)
    noisy = (a * latents + s * noise).to(context.dtype)
    predicted = unet(noisy, t, encoder_hidden_states=context, return_dict=False)[0].float()
    error = (predicted - (a * noise - s * latents)) ** 2 * focus[:, None]
    return error.mean(dim=(1, 2, 3)) * loss_weights(kept)


class UnetTraining:
    """The model in training, its data and its state in `folder`."""

    def __init__(self, folder: Path, device: str, rate: float, seed: int = 0, begin: Path | None = None) -> None:
        """begin: a finished model to start from, where the folder holds no training yet."""
        self.folder, self.device, self.seed, self.ranks = folder, torch.device(device), seed, Ranks()
        self.vae = ready_vae(folder)
        self.mark = latents_fingerprint(self.vae)
        self.latents = Latents(folder / "latents" / self.mark)
        model = load_model(begin) if begin else build(seed)
        self.text = Text(model, caption_token_ids(model)).to(self.device)
        self.unet = moved(model.unet, self.device)
        if self.device.type == "cpu":  # twice as fast there as scaled_dot_product_attention's backward
            self.unet.set_attn_processor(AttnProcessor())
            self.text.encoder.set_attn_implementation("eager")
        self.weights = Weights({"unet": self.unet, "text": self.text.encoder}, torch.bfloat16, rate)
        self.kept = model.scheduler.alphas_cumprod.to(self.device)
        before = model.card.get("unet", {"samples": 0, "minutes": 0.0})
        self.about: dict[str, Any] = {"samples": before["samples"], "seconds": 60 * before["minutes"], "run": {}}
        if (folder / STATE).exists():
            self.about = self.weights.load(folder / STATE)
            if self.about["latents"] != self.mark:
                raise SealError(f"folder: {folder / STATE} learned latents of another VAE; move it away to start anew.")

    def batch(self, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """(latents, focus, tokens, t, noise); what is drawn depends on the step only, so a resumed run goes on."""
        rng = random.Random(f"{self.seed} {self.weights.steps}{f' {self.ranks.rank}' if self.ranks.rank else ''}")
        records = self.latents.draw(rng, count)
        texts = [caption(character(int(r["character"])), scene_of(r), rng) for r in records]
        return *self._pictures(records), self.text.tokens(texts).to(self.device), *self._noise(rng, count)

    def _pictures(self, records: np.ndarray) -> tuple[Tensor, Tensor]:
        latents, focus = (torch.from_numpy(records[n].astype(np.float32)) for n in ("latents", "focus"))
        return latents.to(self.device), focus.to(self.device)

    def _noise(self, rng: random.Random, count: int) -> tuple[Tensor, Tensor]:
        strata = [(i + rng.random()) / count for i in range(count)]
        generator = torch.Generator().manual_seed(rng.getrandbits(62))
        noise = torch.randn(count, 4, *self.latents.held_out["focus"].shape[1:], generator=generator)
        t = torch.tensor(strata).mul(len(self.kept)).long()
        return t.to(self.device), noise.to(self.device)

    def step(self, count: int, scale: float) -> tuple[float, float]:
        """One step on `count` samples of each process: (loss, norm of the gradient)."""
        latents, focus, tokens, t, noise = self.batch(count)
        loss = v_loss(self.unet, latents, noise, t, self.kept[t], self.text(tokens), focus).mean()
        loss.backward()
        self.about["samples"] += count * self.ranks.count
        return float(loss.detach()), self.weights.step(scale, self.ranks)

    def averaged(self) -> TinyModel:
        """A model with the averaged weights and the whole token table."""
        model = build(self.seed)
        model.unet.load_state_dict(self.weights.averaged("unet"))
        state = self.weights.averaged("text")
        table = next(n for n in state if n.endswith(TABLE.removeprefix("text_model.")))
        rows = state.pop(table)
        model.text_encoder.load_state_dict(state, strict=False)
        with torch.no_grad():
            model.text_encoder.get_input_embeddings().get_parameter("weight")[list(self.text.ids)] = rows.cpu()
        model.vae, model.ids = self.vae, self.text.ids
        model.config = {**model.config, "vae": {**model.config["vae"], "scaling_factor": 1.0}}
        run = {k: v for k, v in self.about.items() if k in ("samples", "seconds")}
        model.card = {**run, "steps": self.weights.steps, "latents": len(self.latents)}
        return model.to(self.device)

    @torch.no_grad()
    def held_out(self, model: TinyModel) -> dict[str, float]:
        """Unweighted v-errors of unseen characters by noise level, with all attributes named."""
        records = self.latents.held_out
        latents, _ = self._pictures(records)
        who = [character(int(r["character"])) for r in records]
        texts = [prompt(f"a {w.main} {w.species}", scene_of(r).asdict()) for w, r in zip(who, records)]
        context = host(model).encode([Prompt(text) for text in texts], {}).cross
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1)).to(self.device)
        result = {}
        for level in LEVELS:
            rows = torch.arange(0, len(latents), 4, device=self.device)
            t = torch.full((len(rows),), level, device=self.device)
            kept, one = self.kept[t], torch.ones_like(latents[rows, 0])
            errors = v_loss(model.unet, latents[rows], noise[rows], t, kept, context[rows], one)
            result[f"v{level}"] = round(float((errors / loss_weights(kept)).mean()), 4)
        return result

    def pictures(self, model: TinyModel, steps: int = 20, cfg: float = 4.0) -> Image.Image:
        """The grid of sample pictures, 4 x 4."""
        tiny = host(model)
        context = tiny.encode([Prompt(prompt(subject, said)) for subject, said in grid_prompts()], {})
        generator = torch.Generator().manual_seed(0)
        empty = tiny.encode([Prompt("")], {})
        latents = sample(tiny, context, empty, height=SIZE, width=SIZE, steps=steps, cfg=cfg, generator=generator)
        images = (tiny.decode_latents(latents) * 255).round().byte().numpy()
        rows = images.reshape(4, 4, SIZE, SIZE, 3).transpose(0, 2, 1, 3, 4).reshape(4 * SIZE, 4 * SIZE, 3)
        return Image.fromarray(rows)

    def save(self) -> None:
        self.weights.save(self.folder / STATE, {**self.about, "latents": self.mark, "ids": list(self.text.ids)})


def train_unet(options: argparse.Namespace) -> Path:
    """Run the training of the command line; returns the exported model's path."""
    folder: Path = options.folder
    job = UnetTraining(folder, options.device, options.rate, begin=options.begin)
    run = TimeBudget(job.about, options.minutes, job.weights.steps, options.new_run)
    losses: deque[float] = deque(maxlen=100)
    with (
        tqdm(total=100, unit="%", desc="U-Net", mininterval=5, disable=not job.ranks.first) as bar,
        (folder / "unet.jsonl").open("a") as log,
    ):
        while run.done < 1:
            scale = scale_at(run.done, job.weights.steps - run.first_step)
            loss, norm = job.step(options.batch, scale)
            losses.append(loss)
            run.tick(job.ranks.agree)
            bar.n = round(100 * run.done, 1)
            bar.set_postfix(step=job.weights.steps, loss=f"{mean(losses):.4f}", norm=f"{norm:.2f}", refresh=False)
            bar.update(0)
            if job.weights.steps % REFRESH == 0:
                job.latents.refresh()
            if job.ranks.first and run.due("save", SAVE_SECONDS):
                job.save()
                line = {"step": job.weights.steps, "samples": job.about["samples"], "seconds": job.about["seconds"]}
                line |= {"loss": mean(losses), "rate": scale * options.rate, "norm": norm}
                if run.due("look", 60 * options.pictures_every):
                    line |= _look(job)
                log.write(json.dumps({k: round(v, 5) for k, v in line.items()}) + "\n")
                log.flush()
    return folder / "tiny.safetensors"


def _look(job: UnetTraining) -> dict[str, float]:
    """Measure on held-out pictures, and write sample pictures and the current model."""
    model = job.averaged()
    figures = job.held_out(model)
    part = job.folder / f".samples-{job.weights.steps:06d}.png"
    job.pictures(model).save(part)
    part.replace(job.folder / part.name[1:])
    save_model(model, job.folder / "tiny.safetensors", {**model.card, **figures})
    return figures


def add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--folder", type=Path, default=WORK, help="states of the trainings (%(default)s)")
    add("--begin", type=Path, metavar="MODEL", help="start from this finished model's weights, not from random ones")
    add("--minutes", type=float, default=80, help="time budget of a new run; a stopped run goes on to its own end")
    add("--new-run", action="store_true", help="begin a new run (learning rate up again) even if the last was stopped")
    add("--batch", type=int, default=64, help="samples a step (%(default)s)")
    add("--rate", type=float, default=2e-3, help="highest learning rate of matrices (%(default)s)")
    add("--pictures-every", type=float, default=10, metavar="MINUTES", help="sample pictures (%(default)s)")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="(%(default)s)")


def run(options: argparse.Namespace) -> None:
    path = train_unet(options)
    print(json.dumps({"model": str(path), "state": str(options.folder / STATE)}))
