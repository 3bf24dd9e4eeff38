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
_MODELS = f"No checkpoint? [SD 1.5]({_SD15}) (2 GB), [SDXL]({_SDXL}) or, for drawn characters, \
[Animagine XL]({_ANIME}) (7 GB) go into `models/checkpoints`; for SDXL set *Picture size* to 1024."

_MOODS = ", ".join(VALUES["emotion"])

LEARN = f"""# Learn a character from one sticker

### 1 · Choose your **checkpoint**.
### 2 · Drop **your sticker** on *Load Image*.
### 3 · In *Learn*: what it shows (`class_word`: cat, robot, girl) and a `name`.
### 4 · Fill in *Say what it does*; what is empty is not mentioned.
### 5 · **Run**.

Another emotion? Change it and run again: it is learned once, then only drawn.

Mask wrong? Magenta is left out: try another *method*.

Your own **LoRA**: put *Load LoRA* behind *Load Checkpoint*.

{_MODELS}
"""

TWELVE = f"""# Twelve stickers and three packs

### 1 · Choose your **checkpoint**, drop **your sticker** on *Load Image*.
### 2 · In *Learn*: what it shows (`class_word`) and a `name`.
### 3 · *Twelve prompts*: six emotions and two actions, one a line.
### 4 · **Run**. The packs land in `output/stickers`; nothing is uploaded.

`sad = 😢` gives its emoji to all stickers with that word.

{_MODELS}
"""

TINY = f"""# Try it: from one sticker to a pack

### 1 · Press **Run**. A tiny model is included; two processor cores take a few minutes.
### 2 · It learns the cat of **one** sticker, draws it in twelve moods and actions, cuts them out and packs them.
### 3 · The packs land in `output/stickers`.

**Play**: change *Twelve prompts* and run again; the cat stays learned. Another `example` needs its animal as \
`class_word`, and another `name`.

It draws 128 px and knows few words: {_MOODS}; the help of *SEAL Demo Model* lists all.

Your own sticker? Open *Telegram, WhatsApp and Signal stickers of my character*.
"""

PICTURES = """# I have pictures: make a pack

### 1 · *SEAL Load Stickers*: **Choose files…**, or drop them on it.
### 2 · **Run**. Each is cut out, gets a white border, and goes into a pack for Telegram, WhatsApp and Signal.
### 3 · The packs land in `output/stickers`; each node says where, and how to send them. Nothing is uploaded.

A *Caption* is written on all of them. WhatsApp takes 3 to 30: with fewer, bypass its node (Ctrl+B).

**Emoji** go by file names: `sad = 😢` is for `my-sad-cat.jpg`; a line without `=` is for all others.

Lost something in cutting? Set *keep* to `all`, or *method* to `border`. For photographs wire core's *Remove \
Background* to *mask*.
"""

GIFS = """# GIFs or frames: make an animated pack

### 1 · *SEAL Load Stickers*: **Choose files…** (GIF, WebP, APNG), or drop them on it. A sub-folder of pictures is one \
animation too, at `fps`.
### 2 · **Run**. Each becomes an animated sticker: WebM for Telegram, WebP for WhatsApp, APNG for Signal, within their \
limits.
### 3 · The packs land in `output/stickers`; each node says where, and how to send them. Nothing is uploaded.

WhatsApp takes 3 to 30: with fewer, bypass its node (Ctrl+B).

Too long? It plays faster; *too_long* = `cut` keeps the speed.

**Emoji** go by file names: `wave = 👋` is for all with that word.
"""

MOVE = """# One sticker that moves

### 1 · Drop **your sticker** on *Load Image*.
### 2 · In *Move it*: its `motion`, and what flies around it (`overlay`).
### 3 · **Run**. The loop plays on the node; the packs land in `output/stickers`. Nothing is uploaded.

No model is needed. Every loop is seamless.

Several poses of one character? The motion `poses` goes from one to the next.
"""

LIKE_A_GIF = f"""# GIF in, my character moves

### 1 · Choose **your character** (press **R** if it is new) and the **checkpoint** that it was learned on.
### 2 · Drop **a GIF** on *Load Image*: one sticker that moves as yours shall. `caption` says what it shows.
### 3 · *What it does*: your character's name, and the same movement.
### 4 · **Run**. The motion is learned once; the pack lands in `output/stickers`. Nothing is uploaded.

It hardly moves? More `steps`. It takes over the GIF's looks? Fewer, or a fuller `caption`.

{_MODELS}
"""

MOVING = """# Try it: a character that moves

### 1 · Press **Run**. A tiny model is included; two processor cores take a few minutes.
### 2 · It learns the cat of **one** sticker, and draws it waving, jumping and running: eight frames each.
### 3 · The animated pack lands in `output/stickers`. Nothing is uploaded.

**Play**: change *Movements* and run again; the cat stays learned. The tiny model also knows sitting and lying down.

Its motion comes from the `motion` output of *SEAL Demo Model*. For your own checkpoint open *GIF in, my character \
moves*.
"""

RESTYLE = f"""# Redraw a picture in the look of another

### 1 · Choose your **checkpoint** (SD 1.5 is quickest).
### 2 · Drop **your picture** on the first *Load Image*, **the look** on the second.
### 3 · **Run**. Each region takes the look of the region that has its colour in *What belongs together*.

Other pairs? Write into `override`, by number: `2 <- style 1 region 3`, or `2 <- none`.

Only the manner of drawing? Set `colours` to `own`.

{_MODELS}
"""

LOOKS = f"""# Redraw a picture in three looks

### 1 · Choose your **checkpoint** (SD 1.5 is quickest) and drop **your picture** on the first *Load Image*.
### 2 · Drop **three looks** on the others: the outline from this one, the fur from that one.
### 3 · **Run**. Each region takes its look from the likeliest region of the three; *What belongs together* shows \
which, in one colour.

Your own choice: write it into `override` by the numbers in that picture, one a line: `2 <- style 1 region 3`, or \
`2 <- none` for a region that stays as it is. *Match* gives all pairs as a table to start from.

Only two looks? Remove the wire of `style_3`. More: wire several pictures as one batch.

{_MODELS}
"""

TAILOR = f"""# Learn a look, and draw my character in it

### 1 · Learn your character first: *Learn a character from one sticker*. Choose it in *SEAL Load Embedding*, and the \
same **checkpoint**.
### 2 · Drop **pictures in one look** on *SEAL Load Stickers*: four here, a dozen is better, of many subjects.
### 3 · In *Learn the look*, `style_captions` says what each shows, one a line, by file name, without the look.
### 4 · **Run**. The model draws pictures of `content_captions` for what must not change, learns the look as an \
ordinary LoRA (`models/loras`), and draws your character in it.

Another emotion? Change it and run again: the look is learned once. Too little of the look: more `steps`, or a \
`split` nearer to 1. It follows prompts less: a lower `split`.

{_MODELS}
"""

ONE_LOOK = f"""# My character's pack in the look of a picture

### 1 · Choose **your character** (press **R** if it is new) and the **checkpoint** that it was learned on.
### 2 · Drop **the look** on *Load Image*; its subject counts, not its ground.
### 3 · **Run**. Twelve stickers are drawn in that look, cut out and packed into `output/stickers`.

Too much of the picture's shapes or colours? A later `start_percent` in *Draw in that look*, `layers` = `appearance`, \
or less `strength`. Too little: 1.

{_MODELS}
"""

COMPARE = """# Compare three ways to learn

### 1 · Checkpoint, sticker, **Class word**.
### 2 · **Prompt**: ask for what the sticker does *not* show.
### 3 · **Run** trains three times ({steps} steps). For a quick look set `steps`.

- **Textual Inversion**: one vector, everything in the picture.
- **HiPer**: five positions at the prompt's end.
- **SEAL** (`best`): a word and a small LoRA, kept on the subject.
"""

DRAW = """# Draw a character that I have learned

### 1 · Choose the character in *SEAL Load Embedding* (not there? press **R**) and its **checkpoint**.
### 2 · Fill in any of the six fields; *Suggestions…* offers words.
### 3 · **Run**.

Your own **LoRA**: put *Load LoRA* behind *Load Checkpoint*; Shift and a drag move all wires of an output.

Two characters? Chain a second *SEAL Load Embedding* through `previous`; name both in *concept*.

Too much like the sticker? Lower `strength` in *SEAL Apply Embedding*.
"""
