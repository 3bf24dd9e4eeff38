"""Any input into every node that runs without a model: it gives a SealError, or a result without NaN.

Inputs follow each node's schema. At most two of them are hostile at a time, so that later checks are reached too.
`fuzzing` says how many cases there are; tests/comfyui/inprocess_fuzz.py has the nodes that need a model.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from fuzz_material import Looks, no_silent_nan
from fuzzing import fuzz, numbers, pictures, texts, whole_numbers
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from stand_ins import loaded_pack, nodes

SHARES = {
    "StickerAttributePrompt": 450, "SEALStickerAttributeSweep": 350, "SplitMergeTokenizer": 150, "SEALLowRankSpec": 100,
    "SEALLoadEmbedding": 150, "SEALRouteConditioning": 250, "SemanticMask": 300, "SEALStickerCutout": 200,
    "SEALStickerBorder": 150, "SEALStickerLayout": 400, "SEALStickerText": 300,
    "SEALContactSheet": 200, "SEALSaveStickerPack": 150, "SEALLoadStickers": 100, "SEALDemoModel": 50,
    "SEALStickerMotion": 100,
}  # fmt: skip
"""Node -> how many of 5,000 cases; test_fuzz_files.py has the rest."""
NEED_MODELS = {
    "SEALTrainEmbedding", "SEALTrainFolder", "SEALTextEncode", "SEALApplyEmbedding", "LayerRestrictionSpec",
    "SEALStyleRegions", "SEALStyleMatch", "SEALRestyle", "SEALStyleModel", "SEALTailorStyle",
    "SEALTrainMotion", "SEALApplyMotion", "SEALReferenceModel",
}  # fmt: skip
EMBEDDINGS = ("seal.safetensors", "foreign.safetensors", "sub/foreign.safetensors", "damaged.pt", "tail.safetensors")


class Bar:
    """ComfyUI's progress bar, as far as the pack uses it."""

    def __init__(self, total: int) -> None:
        self.total = total

    def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
        assert 0 <= value <= (total or self.total)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The pack on stand-ins on which its nodes can run, with a few embeddings and fonts in its folders."""
    folder = tmp_path_factory.mktemp("fuzz")
    with loaded_pack() as pack:
        by_id = {node.define_schema().node_id: node for node in nodes(pack)}
        by_id["SEALSaveStickerPack"].hidden = SimpleNamespace(
            prompt={"1": {}}, extra_pnginfo={"workflow": {"x": "é😀"}}
        )
        import_module(f"{pack.__name__}.nodes.comfy.workflow_tags").args = SimpleNamespace(disable_metadata=False)
        import_module(f"{pack.__name__}.nodes.demo_model").load_tiny_model = lambda: ("model", "clip", "vae")
        import_module("comfy.utils").ProgressBar = Bar
        ui, io = import_module("comfy_api.latest").ui, import_module("comfy_api.latest").io
        ui.SavedResult = lambda *values: values
        ui.SavedImages = lambda shown, is_animated: SimpleNamespace(as_dict=lambda: {"images": shown})
        io.FolderType = SimpleNamespace(output="output", temp="temp")
        paths = import_module("folder_paths")
        paths.models_dir = str(folder)
        paths.folder_names_and_paths["embeddings"] = ([str(folder / "embeddings")], {".safetensors", ".pt"})
        paths.get_full_path = lambda kind, name: _found(folder / kind / name)
        paths.get_input_directory = lambda: str(folder / "input")
        paths.get_output_directory = lambda: str(folder / "output")
        paths.get_temp_directory = lambda: str(folder / "temp")
        _fill(folder, pack)
        yield pack


def core(pack: ModuleType, module: str) -> ModuleType:
    return import_module(f"{pack.__name__}.seal_core.{module}")


def _found(path: Path) -> str | None:
    try:
        return str(path) if path.is_file() else None
    except (OSError, ValueError):
        return None


def _fill(folder: Path, pack: ModuleType) -> None:
    for name in ("embeddings/sub", "seal_tails", "input", "output", "fonts"):
        (folder / name).mkdir(parents=True)
    core(pack, "concept.concept_file").save_concept(concept(pack, "<x>"), folder / "embeddings", "seal")
    core(pack, "concept.concept_file").save_concept(concept(pack, "<t>", "tail"), folder / "seal_tails", "tail")
    for name in ("foreign", "sub/foreign"):
        file = folder / "embeddings" / f"{name}.safetensors"
        save_file({"emb_params": torch.ones(2, 768)}, file)
    (folder / "embeddings/damaged.pt").write_bytes(b"PK\x03\x04 no archive")
    font = core(pack, "stickers.font").BUNDLED
    (folder / "input/My Font.ttf").write_bytes(font.read_bytes())
    frames = [Image.new("RGBA", (20, 16), colour) for colour in ("red", "#00ff0080", "blue")]
    frames[0].save(folder / "input/a.gif", save_all=True, append_images=frames[1:], duration=[30, 90, 60])
    frames[0].save(folder / "input/still.png")
    (folder / "input/broken.webp").write_bytes(b"GIF89a")
    (folder / "fonts/damaged.otf").write_bytes(font.read_bytes()[:3000])


def concept(pack: ModuleType, name: str, carrier: str = "input") -> Any:
    family = core(pack, "hosts.base").Family("sd1", (("clip_l", 768),))
    vectors = {"tail" if carrier == "tail" else "clip_l": torch.ones(3, 768)}
    file = name.strip("<>")
    return core(pack, "concept.concept").Concept(name, "cat", vectors, family, carrier=carrier, file=file)


# -- from a schema to strategies -------------------------------------------------------------------

FONTS = ("", "My Font.ttf", "my font.ttf; damaged.otf", "damaged.otf", "none.ttf", "../input/My Font.ttf", ";;", '""')
FILES = ("*.gif", "*", "", "a.gif\nstill.png", "[", "../*", "*" * 300, "broken.webp")
COLOURS = ("#fff", "#12345678", "white", "rebeccapurple", "#00000000", "rgb(1,2,3)", "hsl(1,2%,3%)")
WORDS = ("", "cat", "happy", "a sticker of a cat", "sad\nhappy", "#ff0000")
TEXTS = ("Hi", "é ж あ", "two\nlines", "longer words that need several lines", " ")
EMOJI = ("😺", "😀😢", "😺\n🐶", "sad = 😢\nhappy = 😀", "🇩🇪", "")


LISTS = ("image", "images", "mask", "labels", "names", "scores")
LAYERS = ("all", "up", "up.2-8, down.0", "", "nonsense", "up." + "9" * 5000, "-mid")


def strategies_of(pack: ModuleType, i: Any) -> tuple[st.SearchStrategy, st.SearchStrategy]:
    """(ordinary, hostile) values of one input."""
    kind, low, high = i.io_type, getattr(i, "min", None), getattr(i, "max", None)
    if kind == "INT":
        return whole_numbers(low, high, i.default)
    if kind == "FLOAT":
        return numbers(low, high, i.default) if low is not None else numbers(-10.0, 10.0, 0.5)
    if kind == "BOOLEAN":
        return st.just(i.default) | st.booleans(), st.booleans()
    if kind in ("IMAGE", "MASK"):
        return pictures(True, kind == "MASK"), pictures(False, kind == "MASK")
    if kind == "COMBO":
        options = list(i.options) or list(EMBEDDINGS)
        ordinary = st.just(i.default or options[0]) | st.sampled_from(options)
        return ordinary, st.sampled_from(FONTS if i.id == "font" else options) | texts()
    if kind == "STRING":
        kinds = {"fill": COLOURS, "text": TEXTS, "emoji": EMOJI, "files": FILES}
        known = COLOURS if "colour" in i.id else kinds.get(i.id, WORDS)
        ordinary = st.just(i.default or "") | st.sampled_from((i.default or "", *known))
        return ordinary, texts() | st.sampled_from(known)
    if kind == "SEAL_EMBEDDING":
        embedding = core(pack, "concept.concept").Embedding
        return st.none(), st.sampled_from(("<seal>", "<x>", "<y>")).map(lambda n: embedding((concept(pack, n),)))
    if kind == "SEAL_LAYERS":
        layers = core(pack, "concept.settings").Layers
        return st.just(layers()), st.sampled_from(LAYERS).map(lambda text: layers(text, 0.25))
    if kind == "CONDITIONING":
        return conditionings(st.just((1, 77, 8))), conditionings(st.lists(st.integers(0, 78), max_size=4).map(tuple))
    return st.none(), st.none()  # models, which the nodes here do without


def conditionings(shapes: st.SearchStrategy) -> st.SearchStrategy:
    extras = st.sampled_from((None, {"pooled_output": torch.ones(1, 8)}, {"start_percent": 0.5, "seal": None}))
    values = st.sampled_from((1.0, 1.0, 1.0, math.nan, math.inf, None))
    return st.lists(
        st.builds(lambda s, v, e: [None if v is None else torch.full(s, v), dict(e or {})], shapes, values, extras),
        max_size=3,
    )


def inputs_of(pack: ModuleType, node: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Inputs for one run of a node, at most two of them hostile. Lists where the node takes lists."""
    schema = node.define_schema()
    known = {i.id: strategies_of(pack, i) for i in schema.inputs}
    optional = [i.id for i in schema.inputs if i.optional]

    @st.composite
    def inputs(draw: st.DrawFn) -> dict[str, Any]:
        wild = draw(st.lists(st.sampled_from(list(known)), max_size=2))
        left_out = draw(st.just(set(optional)) | st.sets(st.sampled_from(optional))) if optional else set()
        count = draw(st.sampled_from((1, 1, 2, 3)))
        given = {}
        for name, (ordinary, hostile) in known.items():
            if name in left_out and name not in wild:
                continue
            if not schema.is_input_list:
                given[name] = draw(hostile if name in wild else ordinary)
            elif name in wild:
                some = st.lists(st.one_of(ordinary, ordinary, hostile), min_size=1, max_size=3)
                given[name] = draw(st.one_of(some, some, some, st.just([])))
            else:
                long = count if name in LISTS else 1
                given[name] = draw(st.lists(ordinary, min_size=long, max_size=long))
        return given

    return inputs()


def made(value: Any) -> Any:
    """An input as the node gets it."""
    if isinstance(value, list):
        return [made(one) for one in value]
    return value.tensor() if isinstance(value, Looks) else value


@pytest.mark.parametrize("node_id", SHARES)
def test_node(pack: ModuleType, node_id: str) -> None:
    node = next(n for n in nodes(pack) if n.define_schema().node_id == node_id)
    parameters = inspect.signature(node.execute).parameters

    def case(given: dict[str, Any]) -> bool:
        inputs = {name: made(value) for name, value in given.items() if name in parameters}
        with torch.inference_mode():
            out = node.execute(**inputs)
        no_silent_nan(out.result)
        no_silent_nan((out.ui or {}).get("text", []), "ui")
        return True

    refused = core(pack, "messages").SealError
    fuzz(SHARES[node_id], inputs_of(pack, node), case, refused)


@pytest.mark.parametrize("node_id, given, said", [
    ("SEALStickerLayout", {"width": 2.5}, "width: 2.5 is no whole number that can be used here; wire another"),
    ("SEALStickerLayout", {"width": float("nan")}, "width: nan is no whole number"),
    ("SEALStickerLayout", {"height": 10**5000}, "height: this int is no whole number"),
    ("SEALStickerLayout", {"margin": 10**400}, "margin: this int is no number"),
    ("SemanticMask", {"grow": torch.ones(2)}, "grow: this Tensor is no whole number"),
    ("SEALContactSheet", {"cell": []}, "cell: an empty list came in; wire a node that gives something"),
    ("SEALStickerCutout", {"image": []}, "image: an empty list came in"),
    ("SEALSaveStickerPack", {"size": [300.5]}, "size: 300.5 is no whole number"),
])  # fmt: skip
def test_numbers_and_lists_that_are_none(pack: ModuleType, node_id: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(core(pack, "messages").SealError, match=said):
        executed(pack, node_id, **given)


def test_conditionings_that_are_none(pack: ModuleType) -> None:
    node = next(n for n in nodes(pack) if n.define_schema().node_id == "SEALRouteConditioning")
    good, layers = [[torch.ones(1, 77, 8), {}]], core(pack, "concept.settings").Layers()
    assert torch.equal(node.execute(good, good, layers).result[0][0][0], good[0][0])
    for bad in (None, torch.full((1, 77, 8), math.nan), torch.ones(77, 8)):
        for name, given in (("learned", ([[bad, {}]], good)), ("plain", (good, [[bad, {}]]))):
            with pytest.raises(core(pack, "messages").SealError, match=f"^{name}: is no encoded text"):
                node.execute(*given, layers)


@pytest.mark.parametrize("width", [True, 48.0, torch.tensor(48)])
def test_whole_numbers_of_any_type(pack: ModuleType, width: Any) -> None:
    image, _ = executed(pack, "SEALStickerLayout", platform="custom", width=width, height=32)
    assert image.shape == (1, 32, int(width), 4)


def test_an_empty_list_is_as_nothing_wired(pack: ModuleType) -> None:
    with_none, without = (
        executed(pack, "SEALStickerCutout", **given) for given in ({"mask": [], "class_word": []}, {})
    )
    assert torch.equal(with_none[0][0], without[0][0])


def executed(pack: ModuleType, node_id: str, **given: Any) -> tuple[Any, ...]:
    """A node's outputs on a disc, every other input at its default."""
    node = next(n for n in nodes(pack) if n.define_schema().node_id == node_id)
    schema = node.define_schema()
    inputs = {i.id: i.default for i in schema.inputs if "default" in i.settings and not i.optional}
    inputs["images" if "images" in [i.id for i in schema.inputs] else "image"] = Looks("disc", (1, 32, 40, 4)).tensor()
    as_given = {name: [value] if schema.is_input_list else value for name, value in inputs.items()} | given
    return node.execute(**as_given).result


def test_no_node_is_forgotten(pack: ModuleType) -> None:
    assert {node.define_schema().node_id for node in nodes(pack)} == {*SHARES, *NEED_MODELS}
