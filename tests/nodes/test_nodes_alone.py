"""nodes/ without a ComfyUI: every module imports, and every schema is one that ComfyUI 0.8.0 and newer take."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import pytest
from stand_ins import ROOT, loaded_pack, nodes


@pytest.fixture(scope="module")
def pack() -> Iterator[ModuleType]:
    with loaded_pack() as pack:
        yield pack


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "nodes").glob("*.py")))
def test_module_imports(pack: ModuleType, name: str) -> None:
    module = importlib.import_module(f"{pack.__name__}.nodes" + ("" if name == "__init__" else f".{name}"))
    for node in getattr(module, "NODES", ()):
        assert node in nodes(pack), f"{node.__name__} is in {name}.NODES, but the pack's entry does not give it"


def test_the_entry_gives_every_node_once_and_each_has_its_help(pack: ModuleType) -> None:
    ids = [node.define_schema().node_id for node in nodes(pack)]
    assert sorted(ids) == sorted(path.stem for path in (ROOT / "js/docs").glob("*.md"))
    assert (ROOT / pack.WEB_DIRECTORY).is_dir()


def faults(node: Any) -> list[str]:
    """What is wrong with a node's schema or does not fit its execute()."""
    schema = node.define_schema()
    ids = [i.id for i in schema.inputs]
    found = [f"input {name} twice" for name in sorted({name for name in ids if ids.count(name) > 1})]
    named = [o.id for o in schema.outputs]
    found += [f"output {name} twice" for name in {n for n in named if n is not None and named.count(n) > 1}]
    found += [f"output {i} has no name" for i, name in enumerate(named) if name is None]
    optional = [i.optional for i in schema.inputs]
    if optional != sorted(optional):
        found.append("a required input after an optional one: ComfyUI shows those first, widgets are saved in order")
    parameters = inspect.signature(node.execute).parameters
    if list(parameters) != ids:
        found.append(f"execute takes {list(parameters)}, the inputs are {ids}")
    for i in schema.inputs:
        found += [f"{i.id}: {fault}" for fault in _input_faults(i)]
        parameter = parameters.get(i.id)
        if parameter is not None and i.optional and parameter.default is inspect.Parameter.empty:
            found.append(f"{i.id}: optional, but execute has no default for it")
        given = parameter is not None and i.optional and "default" in i.settings and not schema.is_input_list
        if given and parameter.default != i.default:
            found.append(f"{i.id}: default {i.default!r}, execute's is {parameter.default!r}")
    return found


def _input_faults(i: Any) -> Iterator[str]:
    if not i.tooltip:
        yield "no tooltip"
    if i.io_type in ("INT", "FLOAT") and not i.force_input:
        if i.min is None or i.max is None or i.default is None:
            yield "needs min, max and default"
        elif not i.min <= i.default <= i.max:
            yield f"default {i.default} is not in {i.min}..{i.max}"
    if i.io_type == "COMBO":
        options: Sequence[str] = i.options
        if len(set(options)) != len(options):
            yield "an option twice"
        if "default" in i.settings and i.default not in options:
            yield f"default {i.default!r} is none of {list(options)}"
    if i.io_type == "BOOLEAN" and not isinstance(i.default, bool):
        yield "needs a default"


def test_schemas(pack: ModuleType) -> None:
    assert len(nodes(pack)) >= 17
    assert {node.__name__: found for node in nodes(pack) if (found := faults(node))} == {}


def test_faults_are_seen(pack: ModuleType) -> None:
    io = sys.modules["comfy_api.latest"].io  # type: ignore[attr-defined]

    class Wrong:
        @classmethod
        def define_schema(cls) -> Any:
            inputs = [
                io.Int.Input("a", default=5, min=0, max=4, tooltip="x", optional=True),
                io.Combo.Input("b", options=["one", "one"], default="two", tooltip="x"),
                io.Float.Input("b", default=0.0, tooltip="x"),
                io.Image.Input("c"),
                io.Image.Input("d", optional=True, tooltip="x"),
            ]
            return io.Schema(node_id="Wrong", inputs=inputs, outputs=[io.Mask.Output("m"), io.Mask.Output("m")])

        @classmethod
        def execute(cls, d: Any, a: int = 4, b: str = "one") -> None:
            """Never run."""

    said = " | ".join(faults(Wrong))
    for words in (
        "input b twice", "output m twice", "required input after", "execute takes ['d', 'a', 'b'], the inputs",
        "an option twice", "5 is not in", "'two' is none of", "b: needs min", "c: no tooltip", "a: default 5, execute",
        "d: optional, but execute",
    ):  # fmt: skip
        assert words in said, (words, said)


def test_what_the_oldest_comfyui_does_not_know_is_refused(pack: ModuleType) -> None:
    io = sys.modules["comfy_api.v0_0_2"].io  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"INT input 'steps': .* does not know advanced"):
        io.Int.Input("steps", advanced=True)
    with pytest.raises(TypeError, match="search_aliases"):
        io.Schema(node_id="X", search_aliases=["x"])
    assert not hasattr(io, "BackgroundRemoval"), "a type of newer versions"


def test_nothing_of_the_stand_ins_stays() -> None:
    mocked = {"comfy", "comfy_api", "folder_paths", "seal_alone"}

    def here() -> tuple[dict[str, int], list[int]]:
        kept = {name: id(module) for name, module in sys.modules.items() if name.split(".")[0] in mocked}
        return kept, [id(finder) for finder in sys.meta_path]

    before = here()
    with loaded_pack():
        assert mocked <= {name.split(".")[0] for name in sys.modules} and here() != before
    assert here() == before
