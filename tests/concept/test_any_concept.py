"""Any concept comes back from its file as it went in."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load as tensors_of
from safetensors.torch import save as to_bytes

from seal_core.concept.concept import Concept, LowRank
from seal_core.concept.concept_file import FORMAT, _checksum, _json, concept_bytes, load_concept
from seal_core.concept.lora_file import weights_tensors
from seal_core.concept.settings import CARRIERS, INITS, MERGES, NORMS, Layers, Tokens
from seal_core.hosts.base import Family
from seal_core.messages import SealError

FAMILIES = (
    Family("sd1", (("clip_l", 768),)),
    Family("sdxl", (("clip_l", 768), ("clip_g", 1280))),
    Family("custom", (("clip_l", 12), ("clip_g", 8))),
    Family("tiny", (("clip_l", 4),)),
)
WORDS = st.text(st.characters(exclude_characters="{}", exclude_categories=("Cs",)), min_size=1, max_size=12).filter(
    lambda text: text.strip()
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def tokens(draw) -> Tokens:
    init = draw(st.sampled_from(INITS))
    merge = "none" if init == "described" else draw(st.sampled_from(MERGES))
    share = draw(st.floats(0, 1) | st.sampled_from([0, 1]))
    split, context = draw(st.integers(1, 16)), draw(st.booleans())
    return Tokens(draw(WORDS), draw(WORDS), split, merge, share, context, init, draw(st.sampled_from(NORMS)))


@st.composite
def weights(draw) -> LowRank:
    rank, into, out = (draw(st.integers(1, 5)) for _ in range(3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    return LowRank(torch.randn(rank, into, generator=generator), torch.randn(out, rank, generator=generator))


@st.composite
def concepts(draw) -> Concept:
    family, carrier = draw(st.sampled_from(FAMILIES)), draw(st.sampled_from(CARRIERS))
    widths = dict(family.widths) if carrier == "input" else {"tail": sum(width for _, width in family.widths)}
    generator = torch.Generator().manual_seed(draw(st.integers(0, 1000)))
    scale = draw(st.sampled_from([0.0, 1e-30, 1.0, 1e30]))
    vectors = {key: scale * torch.randn(draw(st.integers(1, 4)), w, generator=generator) for key, w in widths.items()}
    start, end = sorted(draw(st.lists(st.floats(0, 1), min_size=2, max_size=2, unique=True)))
    return Concept(
        draw(WORDS),
        draw(WORDS),
        vectors,
        family,
        carrier,
        draw(tokens()),
        Layers(draw(WORDS), start, end),
        draw(st.none() | st.integers(-100, 0)),
        "a",
        draw(st.dictionaries(st.text(max_size=8), JSON, max_size=4)),
        draw(st.dictionaries(st.sampled_from(["up.0.to_q", "mid.to_out.0", "up.0.ff.net.2"]), weights(), max_size=3)),
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("concept") / "a.safetensors"


def same(one: Concept, other: Concept) -> bool:
    vectors = one.vectors.keys() == other.vectors.keys() and all(
        torch.equal(v, other.vectors[k]) for k, v in one.vectors.items()
    )
    weights = weights_tensors(one.weights), weights_tensors(other.weights)
    return (
        vectors
        and weights[0].keys() == weights[1].keys()
        and all(torch.equal(w, weights[1][k]) for k, w in weights[0].items())
        and vars(replace(one, vectors={}, weights={})) == vars(replace(other, vectors={}, weights={}))
    )


def metadata(data: bytes) -> dict[str, Any]:
    header = json.loads(data[8 : 8 + struct.unpack("<Q", data[:8])[0]])
    return json.loads(header["__metadata__"]["seal"])


@settings(max_examples=50, deadline=None)
@given(concepts())
def test_any_concept_comes_back(path, concept):
    path.write_bytes(concept_bytes(concept))
    assert same(load_concept(path), concept)


@settings(max_examples=50, deadline=None)
@given(concepts(), st.randoms())
def test_the_order_of_keys_makes_no_difference(concept, random):
    def shuffled(values):
        items = list(values.items())
        random.shuffle(items)
        return {key: shuffled(value) if isinstance(value, dict) else value for key, value in items}

    other = replace(concept, vectors=shuffled(concept.vectors), provenance=shuffled(concept.provenance))
    assert concept_bytes(other) == concept_bytes(concept)


@settings(max_examples=50, deadline=None)
@given(
    concepts(), st.dictionaries(st.text(max_size=8).map("new ".__add__), JSON, min_size=1, max_size=3), st.booleans()
)
def test_keys_of_a_later_version_are_left_alone(path, concept, unknown, inside):
    """Equal format, more keys, a checksum over all of them; without a new checksum they are an edit."""
    data = concept_bytes(concept)
    values, tensors = metadata(data), tensors_of(data)
    checksum = values.pop("checksum")
    values = {**values, "tokens": values["tokens"] | unknown} if inside else values | unknown
    path.write_bytes(to_bytes(tensors, {"seal": _json({**values, "checksum": checksum})}))
    with pytest.raises(SealError, match="was changed since it was saved"):
        load_concept(path)
    path.write_bytes(
        to_bytes(
            tensors,
            {
                "seal": _json(
                    {**values, "checksum": _checksum(values, concept.vectors | weights_tensors(concept.weights))}
                )
            },
        )
    )
    assert same(load_concept(path), concept)
    path.write_bytes(to_bytes(tensors, {"seal": _json({**values, "format": FORMAT + 1})}))
    with pytest.raises(SealError, match="newer SEAL; update"):
        load_concept(path)
