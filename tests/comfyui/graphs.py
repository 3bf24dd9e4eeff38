"""Graphs in ComfyUI's API format, built as Python values."""

from __future__ import annotations

from typing import Any

Link = list[Any]


class Graph(dict[str, dict[str, Any]]):
    """node id -> {class_type, inputs}."""

    def add(self, class_type: str, node_id: str = "", /, **inputs: Any) -> str:
        """Add a node (default id: the next number) and return its id."""
        key = node_id or str(len(self) + 1)
        self[key] = {"class_type": class_type, "inputs": inputs}
        return key

    def wire(self, class_type: str, node_id: str = "", /, **inputs: Any) -> Link:
        """Add a node and return a wire from its first output."""
        return [self.add(class_type, node_id, **inputs), 0]


def checkpoint(graph: Graph, name: str) -> tuple[Link, Link, Link]:
    """MODEL, CLIP, VAE."""
    node = graph.add("CheckpointLoaderSimple", "checkpoint", ckpt_name=f"{name}.safetensors")
    return [node, 0], [node, 1], [node, 2]


def demo_model(graph: Graph) -> tuple[Link, Link, Link]:
    """MODEL, CLIP, VAE of the shipped model, which is a hundred times quicker."""
    node = graph.add("SEALDemoModel", "demo", example="orange cat, running on a beach")
    return [node, 0], [node, 1], [node, 2]


TRAIN: dict[str, Any] = {
    "class_word": "character", "name": "sticker", "concept": "", "preset": "textual_inversion", "steps": 2,
    "learning_rate": 0.0, "batch_size": 0, "resolution": 64, "seed": 1,
}  # fmt: skip


TOKENS: dict[str, Any] = {
    "split": 0, "merge": "preset", "merge_at": -1.0, "context_token": "preset", "init": "preset", "norm": "preset",
}  # fmt: skip
"""An untouched SplitMergeTokenizer."""


def train(
    graph: Graph,
    parts: tuple[Link, Link, Link],
    image: str,
    *,
    mask: Link | None = None,
    whole: bool = False,
    **settings: Any,
) -> str:
    """LoadImage and SEALTrainEmbedding; LoadImage's inverted alpha is the mask unless one is given.

    The training node's id is "train"; "report" shows its report, "name" its name output. Unless `whole`, the preset
    best skips what takes minutes on a CPU: it starts at the class word (the search for words encodes a hundred prompts,
    0.3 s each) and uses no other backgrounds (16 more pictures, 0.3 s each).
    """
    model, clip, vae = parts
    if settings.get("preset") == "best" and not whole:
        settings = {"augment": 0.0, **settings}
    if settings.get("preset") == "best" and not whole and "tokens" not in settings:
        settings["tokens"] = graph.wire(
            "SplitMergeTokenizer", "tokens", **{**TOKENS, "split": 8, "init": "class_word_noise"}
        )  # fmt: skip
    picture = graph.add("LoadImage", "image", image=image)
    inputs = {**TRAIN, "model": model, "clip": clip, "vae": vae, "image": [picture, 0], "mask": mask or [picture, 1]}
    node = graph.add("SEALTrainEmbedding", "train", **{**inputs, **settings})
    graph.add("PreviewAny", "name", source=[node, 1])
    graph.add("PreviewImage", "loss", images=[node, 2])
    graph.add("PreviewImage", "attention", images=[node, 3])
    graph.add("PreviewAny", "report", source=[node, 4])
    return node


def sample(
    graph: Graph, model: Link, positive: Link, negative: Link, vae: Link, *, size: int = 64, steps: int = 2,
    seed: int = 5, batch: int = 1, cfg: float = 5.0, name: str = "save",
) -> str:  # fmt: skip
    """KSampler, VAEDecode and SaveImage; the id of the last."""
    latent = graph.wire("EmptyLatentImage", width=size, height=size, batch_size=batch)
    inputs = {"model": model, "positive": positive, "negative": negative, "latent_image": latent, "denoise": 1.0}
    sampler = {"seed": seed, "steps": steps, "cfg": cfg, "sampler_name": "euler", "scheduler": "normal"}
    samples = graph.wire("KSampler", **inputs, **sampler)
    images = graph.wire("VAEDecode", samples=samples, vae=vae)
    return graph.add("SaveImage", name, images=images, filename_prefix=name)


def encode(graph: Graph, clip: Link, text: str) -> Link:
    return graph.wire("CLIPTextEncode", clip=clip, text=text)


def plain(checkpoint_name: str, text: str = "a sticker of a cat", **settings: Any) -> Graph:
    """Ordinary text to image."""
    graph = Graph()
    model, clip, vae = checkpoint(graph, checkpoint_name)
    sample(graph, model, encode(graph, clip, text), encode(graph, clip, "blurry"), vae, **settings)
    return graph


def routed(
    checkpoint_name: str, embedding: str, text: str, *, strength: float = 1.0, patch: bool = True, **settings: Any
) -> Graph:
    """SEALLoadEmbedding, SEALApplyEmbedding, SEALTextEncode and a KSampler."""
    graph = Graph()
    model, clip, vae = checkpoint(graph, checkpoint_name)
    learned = graph.wire("SEALLoadEmbedding", "load", name=embedding)
    if patch:
        model = graph.wire("SEALApplyEmbedding", model=model, embedding=learned)
    positive = graph.wire("SEALTextEncode", clip=clip, text=text, embedding=learned, strength=strength)
    sample(graph, model, positive, encode(graph, clip, "blurry"), vae, **settings)
    return graph


def audit(graph: Graph, parts: tuple[Link, Link, Link], nonce: int = 0) -> str:
    """The state of model, clip and vae; runs again for another nonce."""
    model, clip, vae = parts
    return graph.add("SEALProbeAudit", "audit", model=model, clip=clip, vae=vae, nonce=nonce)
