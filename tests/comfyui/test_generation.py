"""Learned contexts routed per site and time, in ComfyUI's own samplers, next to its other conditioning nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import graphs
import numpy as np
import pytest
from graphs import Graph, Link
from server import ComfyServer

Sticker = Callable[[ComfyServer], str]
TEXT = "a photo of embedding:{} , blue"


@pytest.fixture(scope="module")
def learned(comfy: ComfyServer) -> tuple[str, str]:
    """Two concepts trained at the up sites: their names."""
    import pictures

    names = ("route-cat", "route-ghost")
    for name, glyph in zip(names, ("\N{CAT FACE}", "\N{GHOST}")):
        graph = Graph()
        picture = comfy.upload_image(f"{name}.png", pictures.sticker(glyph))
        graphs.train(
            graph, graphs.checkpoint(graph, "sd15-small"), picture, preset="best_embedding", steps=4, name=name
        )
        graph["train"]["inputs"]["learning_rate"] = 0.05  # far enough for a visible effect
        comfy.run(graph).ok()
    return names


class Scene(Graph):
    """Checkpoint, loaded concepts and short cuts."""

    def __init__(self, *names: str) -> None:
        super().__init__()
        self.model, self.clip, self.vae = graphs.checkpoint(self, "sd15-small")
        self.embedding: Link | None = None
        for name in names:
            more = {"previous": self.embedding} if self.embedding else {}
            self.embedding = self.wire("SEALLoadEmbedding", f"load-{name}", name=name, **more)

    def patched(self, model: Link | None = None) -> Link:
        return self.wire("SEALApplyEmbedding", model=model or self.model, embedding=self.embedding)

    def routed(self, text: str) -> Link:
        return self.wire("SEALTextEncode", clip=self.clip, text=text, embedding=self.embedding, strength=1.0)

    def plain(self, text: str) -> Link:
        return graphs.encode(self, self.clip, text)

    def shoot(self, server: ComfyServer, model: Link, positive: Link, negative: Link | None = None, **how: Any) -> Any:
        """Pixels of all pictures, (N, H, W, 3) uint8."""
        graphs.sample(self, model, positive, negative or self.plain("blurry"), self.vae, **how)
        result = server.run(self).ok()
        return np.stack([np.asarray(server.view(image)) for image in result.outputs["save"]["images"]])


def class_word(server: ComfyServer, **how: Any) -> Any:
    scene = Scene()
    return scene.shoot(server, scene.model, scene.plain("a photo of character , blue"), **how)


def test_on_an_unpatched_model_it_is_the_plain_embedding(comfy: ComfyServer, learned: tuple[str, str]) -> None:
    text = TEXT.format(learned[0])
    routed, plain = Scene(learned[0]), Scene()
    a = routed.shoot(comfy, routed.model, routed.routed(text))
    b = plain.shoot(comfy, plain.model, plain.plain(text))
    assert (a == b).all()
    patched = Scene(learned[0])
    assert (patched.shoot(comfy, patched.patched(), patched.routed(text)) != a).any(), "Apply changes nothing"


def test_applying_twice_changes_nothing(comfy: ComfyServer, learned: tuple[str, str]) -> None:
    once, twice = Scene(learned[0]), Scene(learned[0])
    a = once.shoot(comfy, once.patched(), once.routed(TEXT.format(learned[0])))
    b = twice.shoot(comfy, twice.patched(twice.patched()), twice.routed(TEXT.format(learned[0])))
    assert (a == b).all()


def test_a_patched_model_leaves_other_conditioning_alone(comfy: ComfyServer, learned: tuple[str, str]) -> None:
    scene = Scene(learned[0])
    a = scene.shoot(comfy, scene.patched(), scene.plain("a photo of character , blue"))
    assert (a == class_word(comfy)).all()


def test_where_it_is_never_active_the_class_word_stays(comfy: ComfyServer, learned: tuple[str, str]) -> None:
    scene = Scene(learned[0])
    window = {"start_percent": 0.5, "end_percent": 1.0}  # one step: the noisiest only
    layers = scene.wire("LayerRestrictionSpec", model=scene.model, preset="all", layers="", **window)
    routed = scene.wire(
        "SEALRouteConditioning", learned=scene.plain(TEXT.format(learned[0])),
        plain=scene.plain("a photo of character , blue"), layers=layers,
    )  # fmt: skip
    patched = scene.wire("SEALApplyEmbedding", model=scene.model)
    assert (scene.shoot(comfy, patched, routed, steps=1) == class_word(comfy, steps=1)).all()


@pytest.mark.parametrize("how", [{"batch": 2}, {"cfg": 1.0}, {"cfg": 12.0}, {"size": 96}], ids=str)
def test_samplers(comfy: ComfyServer, learned: tuple[str, str], how: dict[str, Any]) -> None:
    scene = Scene(learned[0])
    pictures = scene.shoot(comfy, scene.patched(), scene.routed(TEXT.format(learned[0])), **how)
    assert len(pictures) == how.get("batch", 1)
    assert (pictures != class_word(comfy, **how)).any()
    if "batch" in how:
        alone = Scene(learned[0])
        first = alone.shoot(comfy, alone.patched(), alone.routed(TEXT.format(learned[0])))[0]
        assert np.abs(pictures[0].astype(int) - first).max() <= 3


def variants(scene: Scene, kind: str, names: tuple[str, str]) -> tuple[Link, Link | None]:
    """Positive and negative conditioning of one kind."""
    text = TEXT.format(names[0])
    routed = scene.routed(text)
    if kind == "long":
        return scene.routed(text + ", very detailed" * 60), None
    if kind == "long negative":
        return routed, scene.plain("blurry, ugly" * 60)
    if kind == "weights":
        return scene.routed(f"a photo of (embedding:{names[0]} :1.3) , (blue:0.7)"), None
    if kind == "two concepts":
        return scene.routed(f"embedding:{names[0]} and embedding:{names[1]} , blue"), None
    if kind == "two, as negative too":
        return scene.routed(f"embedding:{names[0]} , blue"), scene.routed(f"embedding:{names[1]} , red")
    if kind == "concat":
        return scene.wire("ConditioningConcat", conditioning_to=routed, conditioning_from=scene.plain("a hat")), None
    if kind == "combine":
        return scene.wire("ConditioningCombine", conditioning_1=routed, conditioning_2=scene.plain("a hat")), None
    if kind == "area":
        box = {"width": 64, "height": 96, "x": 0, "y": 0, "strength": 1.0}
        area = scene.wire("ConditioningSetArea", conditioning=routed, **box)
        return scene.wire("ConditioningCombine", conditioning_1=area, conditioning_2=scene.plain("a hat")), None
    if kind == "mask":
        mask = scene.wire("SolidMask", value=1.0, width=64, height=64)
        masked = {"mask": mask, "strength": 0.8, "set_cond_area": "default"}
        return scene.wire("ConditioningSetMask", conditioning=routed, **masked), None
    image = scene.wire("EmptyImage", width=64, height=64, batch_size=1, color=0x808080)
    net = scene.wire("ControlNetLoader", control_net_name="controlnet.safetensors")
    wires = {"positive": routed, "negative": scene.plain("blurry"), "control_net": net, "image": image}
    node = scene.add("ControlNetApplyAdvanced", **wires, strength=0.5, start_percent=0.0, end_percent=1.0)
    return [node, 0], [node, 1]


KINDS = [
    "long", "long negative", "weights", "two concepts", "two, as negative too", "concat", "combine", "area", "mask",
    "controlnet",
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_with_other_conditioning(comfy: ComfyServer, learned: tuple[str, str], kind: str) -> None:
    comfy.ensure("controlnet")
    pictures = []
    for routed in (True, False):
        scene = Scene(*learned)
        positive, negative = variants(scene, kind, learned)
        pictures.append(scene.shoot(comfy, scene.patched() if routed else scene.model, positive, negative, size=96))
    assert all(picture.std() > 1 for picture in pictures), "a flat picture"
    assert (pictures[0] != pictures[1]).any(), "the restriction had no effect"
