"""What the notes of the shipped workflows say, and which checkpoints they offer to download."""

from __future__ import annotations

from seal_core.demo.attribute_values import VALUES

_HUB = "https://huggingface.co"
CHECKPOINTS = [
    {
        "name": "v1-5-pruned-emaonly-fp16.safetensors",
        "url": f"{_HUB}/Comfy-Org/stable-diffusion-v1-5-archive/resolve/main/v1-5-pruned-emaonly-fp16.safetensors",
        "directory": "checkpoints",
    },
    {
        "name": "sd_xl_base_1.0.safetensors",
        "url": f"{_HUB}/stabilityai/stable-diffusion-xl-base-1.0/resolve/main/sd_xl_base_1.0.safetensors",
        "directory": "checkpoints",
    },
    {
        "name": "animagine-xl-4.0.safetensors",
        "url": f"{_HUB}/cagliostrolab/animagine-xl-4.0/resolve/main/animagine-xl-4.0.safetensors",
        "directory": "checkpoints",
    },
]
"""SD 1.5, SDXL and an anime SDXL. The front end offers the one that is chosen, where it is missing."""

_SD15, _SDXL, _ANIME = (model["url"] for model in CHECKPOINTS)
_MODELS = f"No checkpoint yet? [SD 1.5]({_SD15}) (2 GB), [SDXL]({_SDXL}) or, for drawn characters, \
[Animagine XL]({_ANIME}) (7 GB each) go into `models/checkpoints`; with SDXL set *Picture size* to 1024."

_WORDS = "; ".join(", ".join(values) for values in VALUES.values())

LEARN = f"""# Learn a character from one sticker

### 1 · Choose your **checkpoint**: SD 1.x, SD 2.x or SDXL.
### 2 · Drop **your sticker** on *Load Image*. A transparent ground is best, a plain one works.
### 3 · In *Learn*, say in a word what it shows (`class_word`: cat, robot, girl) and give it a `name`.
### 4 · In *Say what it does*, fill in what you like; empty fields are not mentioned.
### 5 · **Run**. The picture comes beside this note.

Another emotion? Change it and run again: the character is learned once, then only drawn.

Is the mask wrong? Magenta is left out. Try another *method*, or wire your own mask.

{_MODELS}
"""

TWELVE = f"""# Twelve stickers and three packs

### 1 · Choose your **checkpoint** and drop **your sticker** on *Load Image*.
### 2 · In *Learn*: `class_word` (what it shows) and `name`.
### 3 · *Twelve prompts*: six emotions and two actions, one a line. Change them as you like.
### 4 · **Run**. The packs land in `output/stickers`, within each platform's limits; nothing is uploaded.

A line such as `sad = 😢` gives its emoji to every sticker with that word.

{_MODELS}
"""

TINY = f"""# From one sticker to a pack, without a checkpoint

### 1 · Press **Run**. Nothing else is needed: a tiny model is included, and two processor cores take a few minutes.
### 2 · It learns the cat of **one** sticker, draws it in twelve moods and actions, cuts them out and packs them.
### 3 · The packs land in `output/stickers`, within each platform's limits. Nothing is uploaded.

**Play**: change emotions, actions or `background` in *Twelve prompts* and run again; the cat stays learned. Another \
`example` needs its animal as `class_word` and another `name`.

The model draws 128 px and knows eight animals and these words: {_WORDS}. For your own sticker open *Telegram, \
WhatsApp and Signal stickers of my character*.
"""

PICTURES = """# I have pictures: make a pack

### 1 · Put your pictures into ComfyUI's `input` folder, or a folder in it, and write their names in `files`: one a \
line, \
`*` stands for anything.
### 2 · **Run**. Each is cut out, gets a white border, and goes into a pack for Telegram, WhatsApp and Signal.
### 3 · The packs land in `output/stickers`; each node says where, and how to send them. Nothing is uploaded.

WhatsApp takes 3 to 30 stickers: with fewer, bypass its node (Ctrl+B).

**Emoji** go by file names: `sad = 😢` is for `sad.png` and `my-sad-cat.jpg`. One line without `=` is for all.

Pictures with a transparent ground keep their edges. Was something lost in cutting? Set *keep* to `all`, or \
*method* to \
`border` for plain grounds. For photographs wire the mask of core's *Remove Background* to *mask*.
"""

GIFS = """# GIFs or frames: make an animated pack

### 1 · Put your GIFs, animated WebPs or APNGs into ComfyUI's `input` folder and write their names in `files`: one \
a line, \
`*` stands for anything. A sub-folder of pictures is one animation too; `fps` is for those.
### 2 · **Run**. Each file becomes one animated sticker: WebM for Telegram, animated WebP for WhatsApp, APNG for \
Signal, \
within size and length limits.
### 3 · The packs land in `output/stickers`; each node says where, and how to send them. Nothing is uploaded.

WhatsApp takes 3 to 30 stickers: with fewer, bypass its node (Ctrl+B).

Too long for a platform? It plays faster; set *too_long* to `cut` to keep the speed.

**Emoji** go by file names: `wave = 👋` is for every file with that word in its name.
"""

MOVE = """# One sticker that moves

### 1 · Drop **your stickers** on *Load Image*, or wire several.
### 2 · In *Move it*, choose a `motion` and what flies around it (`overlay`).
### 3 · **Run**. The loop plays on the node; the packs land in `output/stickers`. Nothing is uploaded.

No model is needed. Every loop is seamless.

Several poses of one character, as a sweep gives them? Choose the motion `poses`: it goes from one to the next.
"""

RESTYLE = f"""# Redraw a picture in the look of another

### 1 · Choose your **checkpoint** (SD 1.5 is quickest).
### 2 · Drop **your picture** on the first *Load Image*, **the look** on the second.
### 3 · **Run**. Each region takes its look from the region with its colour in *What belongs together*.

Other pairs? Write them into `override` by their numbers: `2 <- style 1 region 3`, or `2 <- none`.

Only the manner of drawing? Set `colours` to `own`.

A whole pack in one look: put *SEAL Style Model* between model and *KSampler* of another template.

{_MODELS}
"""

COMPARE = """# Compare three ways to learn

The same sticker, prompt and seed; three trainings.

### 1 · Checkpoint, sticker, and in **Class word** what it shows.
### 2 · **Prompt**: ask for what the sticker does *not* show. A method that learned the sticker and not the \
character will \
not follow.
### 3 · **Run**: trains three times ({steps} steps). For a quick look set `steps` in all three.

- **Textual Inversion**: one vector, everything in the picture.
- **HiPer**: five positions at the prompt's end.
- **SEAL** (`best`): a word and a small LoRA, kept on the subject.
"""

DRAW = """# Draw a character that I have learned

### 1 · Choose the character in *SEAL Load Embedding* (press **R** if it is new) and the **checkpoint** that it was \
learned on.
### 2 · Fill in any of the six fields. *Suggestions…* offers words for each.
### 3 · **Run**.

Your own **LoRA**: put *Load LoRA* between *Load Checkpoint* and the rest.

Two characters in one picture: chain a second *SEAL Load Embedding* through `previous` and name both in *concept*.

Too much like the sticker? Lower `strength` in *SEAL Apply Embedding* (open it by its dot).
"""
