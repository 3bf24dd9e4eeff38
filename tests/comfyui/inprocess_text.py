"""Learned concepts in prompts and from files inside ComfyUI: `PYTHON inprocess_text.py COMFY_DIR`.

Run by ComfyUI's interpreter; prints a line per check and exits with 1 if one fails.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import (
    CLIP,
    FOLDER,
    MODEL,
    SITES,
    TEXT,
    XL,
    Log,
    Recorder,
    apply,
    concept,
    learned,
    make_clip,
    plain,
    read,
    refused,
    run,
    sample,
)

# isort: split

import inspect
import random
import tempfile
from pathlib import Path

import folder_paths
import torch
from safetensors.torch import save_file
from seal_pack.nodes.apply_embedding import SEALApplyEmbedding
from seal_pack.nodes.comfy.folders import tails_folder
from seal_pack.nodes.comfy.prompt_tokens import tokenize
from seal_pack.nodes.comfy.text_encoders import ComfyText
from seal_pack.nodes.load_embedding import SEALLoadEmbedding
from seal_pack.nodes.text_encode import SEALTextEncode
from seal_pack.seal_core.concept.concept import Concept, Embedding
from seal_pack.seal_core.concept.concept_file import save_concept
from seal_pack.seal_core.concept.settings import Layers
from seal_pack.seal_core.concept.strength import vectors_at_strength

SAID = (
    "a sticker of ", "CAT, Night ", "( a red hat:1.3) ", "((happy)) ", "(sad:0.6), ", r"\(not weighted\) ", "x's ",
    "\n", ", jumping ", "[brackets] ", "<angles> ", "a (b (c:1.1) d) ", "((unclosed ", "loose) ", "<|endoftext|> ",
    "é 日本 🐈 ", " embedding:other ", " embedding:missing ", " embedding:other, and ", "word " * 30,
    "one, two: three; ", "a:b ", "zz zy zx ",
)  # fmt: skip
COUNTS = {"x": 2, "x2": 3, "Long-Name_1": 9, "wide": 20, "one": 1}
"""Names that begin alike or in upper case; rows that ComfyUI divides between chunks (8 and more), and others."""


def random_pieces(rng):
    """A prompt in pieces, and the same with embedding:NAME; names stand where ComfyUI reads them."""
    pieces, text = [], ""
    tidy = rng.random() < 0.5  # ComfyUI takes (embedding:x:1.2) for a name where other parentheses do not close
    space, can_say = ("", [s for s in SAID if s not in ("((unclosed ", "loose) ")]) if tidy else (" ", SAID)
    for _ in range(rng.randint(1, 12)):
        if rng.random() < 0.45:
            name = rng.choice(list(COUNTS))
            weight = rng.choice(("", "", ":1.25", ":0.5"))
            before, after = (f"({space}", f"{space}{weight})") if weight or rng.random() < 0.2 else ("", "")
            pieces += [(before, False), (name, True), (after, False)]
            text += f"{before}embedding:{name}{after}"
            follows = rng.choice((" ", ", ", ",, ", *(("<b>", "[c] ") if NEWER and not after else ())))
            pieces.append((follows, False))
            text += follows
        else:
            said = rng.choice(can_say)
            pieces.append((said, False))
            text += said
        if not text.endswith((" ", "\n")):
            pieces.append((" ", False))
            text += " "
    return pieces, text


def same_tokens(ours, core):
    chunks = ours.pairs()
    assert [len(c) for c in chunks] == [len(c) for c in core], ([len(c) for c in chunks], [len(c) for c in core])
    for mine, theirs in zip(chunks, core):
        for i, ((a, w), (b, v)) in enumerate(zip(mine, theirs)):
            assert w == v, (i, w, v)
            vectors = torch.is_tensor(a), torch.is_tensor(b)
            assert torch.equal(a, b) if all(vectors) else not any(vectors) and a == b, (i, a, b)


NEWER = "cleaned" in (
    inspect.getdoc(type(CLIP.tokenizer.clip_l)._try_get_embedding) or ""
)  # names end at < and [ there


def check_tokens_are_those_of_a_file_with_the_same_vectors():
    for xl, cases in ((False, 400), (True, 150)):
        folder = Path(tempfile.mkdtemp())
        clip = make_clip(folder, xl)
        vectors = {}
        for seed, (name, count) in enumerate(COUNTS.items()):
            made = concept(f"<{name}>", count=count, seed=seed, widths=XL if xl else XL[:1])
            save_concept(made, folder, name)
            vectors[name] = made.vectors
        save_concept(concept("<other>", count=4, seed=9, widths=XL if xl else XL[:1]), folder, "other")
        rng = random.Random(7)
        for case in range(cases):
            pieces, text = random_pieces(rng)
            try:
                ours, core = tokenize(clip, pieces, vectors), clip.tokenize(text)
                assert ours.keys() == {f"clip_{key}" for key in core}
                for key, chunks in core.items():
                    same_tokens(ours[f"clip_{key}"], chunks)
            except AssertionError as error:
                raise AssertionError(f"case {case}: {text!r} {pieces!r}") from error


def check_contexts_are_those_of_a_file_at_every_clip_skip():
    rng, x, x2 = random.Random(3), concept(count=3), concept("<x2>", count=9, seed=6)
    save_concept(x, FOLDER, "three")
    save_concept(x2, FOLDER, "nine")
    names = {"x": (x, "three"), "x2": (x2, "nine")}
    for skip in (None, -1, -2):
        clip = CLIP.clone()
        if skip is not None:
            clip.clip_layer(skip)
        for _ in range(8):
            parts = [rng.choice((*SAID[:5], "x", "x2")) for _ in range(6)] + ["x"]
            ours = "".join(f" <{p}> " if p in names else p for p in parts)
            core = "".join(f" embedding:{names[p][1]} " if p in names else p for p in parts)
            with Log():
                got = learned(ours, x, x2, clip=clip)
            assert torch.equal(got[0][0], plain(core, clip)[0][0]), ours


def check_embedding_without_a_name_is_refused():
    with refused("text: .*embedding:"):
        learned("a sticker of embedding: <x>", concept())
    with refused("text: .*embedding:"):
        learned("a sticker of <x>, embedding:", concept())


def check_strength():
    x = concept(count=3, word="fluffy cat")
    word, full = plain(TEXT.replace("<x>", "fluffy cat")), learned(TEXT, x)
    assert torch.equal(learned(TEXT, x, strength=0.0)[0][0], word[0][0])
    half = vectors_at_strength(ComfyText(CLIP), x, 0.5)["clip_l"]
    start = vectors_at_strength(ComfyText(CLIP), x, 1e-9)["clip_l"]
    assert torch.allclose(half, (start + x.vectors["clip_l"]) / 2, atol=1e-6)
    assert torch.allclose(start[1], (start[0] + start[2]) / 2, atol=1e-6)
    two = concept(count=2, word="fluffy cat")
    assert torch.allclose(learned(TEXT, two, strength=1e-9)[0][0], word[0][0], atol=1e-5)  # as many vectors as words
    assert not torch.equal(learned(TEXT, x, strength=0.5)[0][0], full[0][0])


def check_tail():
    x = concept(carrier="tail", layers=Layers("up.3"))
    word = plain(TEXT.replace("<x>", "cat"))[0][0]
    result = learned(TEXT, x)
    assert torch.equal(result[0][0][:, :72], word[:, :72])
    assert torch.equal(result[0][0][0, 72:], 0.8 * x.vectors["tail"])
    assert torch.equal(learned(TEXT, x, strength=0.0)[0][0], word)
    with Recorder() as seen:
        sample(apply(), result, cfg=1.0, steps=1)
    assert all(read(seen.contexts[s][0], result[0][0] if s == "up.3" else word) for s in SITES)
    for count, warns in ((69, False), (70, True), (100, True)):
        with Log() as log:
            long = learned("a " * count + "<x>", x)
        assert long[0][0].shape == (1, 77, 64) and any("cut" in line for line in log.lines) == warns, (count, log.lines)
    everywhere = concept("<t>", carrier="tail", layers=Layers("all"))  # in each encoding beside a restricted concept
    with Log() as log:
        learned("a " * 100 + "<t> <x>", everywhere, concept())
    assert len(log.lines) == 1 and "cut" in log.lines[0], log.lines
    with refused("text: "):
        learned("<x> <y>", x, concept("<y>", carrier="tail"))


def check_clip_skip_family_and_missing_name():
    skipped = CLIP.clone()
    skipped.clip_layer(-2)
    x = concept(clip_skip=-2)
    with Log() as log:
        ours = learned(TEXT, x, clip=skipped)
    assert not log.lines and torch.equal(ours[0][0], plain(TEXT.replace("<x>", "embedding:x"), skipped)[0][0])
    assert ours[0][1]["seal_clip_skip"] == -2
    with Log() as log:
        learned(TEXT, x)
    assert any("CLIP Set Last Layer" in line for line in log.lines)
    with Log() as log:
        assert torch.equal(learned("a dog", x, clip=skipped)[0][0], plain("a dog", skipped)[0][0])
    assert any("names no learned concept; write <x>" in line for line in log.lines)
    for text, told in (("a dog", "names no learned"), ("a <y> and <x>", "<y> is not learned; write <x>"), (TEXT, "")):
        shown = SEALTextEncode.execute(CLIP, text, Embedding((x,))).ui["text"]
        assert [told in line for line in shown if "text: " in line] == [True] * bool(told), shown
    foreign = concept(widths=(("clip_l", 96),))
    with refused("clip_l 96.*clip_l 64"):
        learned(TEXT, foreign)
    with refused("embedding: "):
        SEALApplyEmbedding.execute(MODEL, Embedding((foreign,)))
    with refused("layers: "):
        SEALApplyEmbedding.execute(MODEL, Embedding((concept(layers=Layers("up.77")),)))
    SEALApplyEmbedding.execute(MODEL, Embedding((x,)))


def check_names_in_text():
    cat, hat = concept("mycat", "kitten"), concept("<my (hat)>", "mycat (red)", seed=9)
    hat = Concept(hat.name, hat.class_word, hat.vectors, hat.family, file="sub/hat")
    for text, same in (
        ("mycat, mycats and my-mycat", "embedding:x, mycats and my-mycat"),
        ("(mycat:1.2) x", "(embedding:x:1.2) x"),
        ("mycat's tail", "embedding:x 's tail"),
    ):
        assert torch.equal(learned(text, cat)[0][0], plain(text.replace(text, same))[0][0]), text
    both = learned("<my (hat)> of mycat", cat, hat, strength=0.0)[0][0]
    assert torch.equal(both, plain(r"mycat \(red\) of kitten")[0][0])
    by_file = learned("a embedding:sub/hat.safetensors, x", hat)[0][0]
    assert torch.equal(by_file, learned("a <my (hat)>, x", hat)[0][0])


def check_a_strength_that_is_no_number():
    for strength in (float("nan"), float("inf")):
        with refused("strength: "):
            learned(TEXT, concept(), strength=strength)


def check_no_clip():
    with refused("clip: "):
        learned(TEXT, concept(), clip=None)


def check_load_node():
    root = Path(tempfile.mkdtemp())
    folder_paths.models_dir = str(root)
    folder_paths.folder_names_and_paths["embeddings"][0][:] = [str(root / "embeddings")]
    (root / "embeddings" / "sub").mkdir(parents=True)
    node = SEALLoadEmbedding
    x = concept(provenance={"hash": "h", "seed": 7})
    save_concept(x, root / "embeddings", "x")
    save_concept(concept("<y>"), root / "embeddings" / "sub", "y")
    save_concept(concept("<t>", carrier="tail"), tails_folder(), "t")
    (tails_folder() / ".t.1234.part").write_text("")
    names = ["sub/y.safetensors", "x.safetensors", "seal_tails/t.safetensors"]
    listed = next(i for i in node.define_schema().inputs if i.id == "name").options
    assert listed == names, listed
    embedding, name, info = node.execute("x.safetensors").result
    assert name == "embedding:x" and "<x>" in info and '"seed": 7' in info and "up.2" in info
    embedding, name, _ = node.execute("sub/y.safetensors", "", embedding).result
    assert name == "embedding:sub/y"
    save_concept(concept("<x>", seed=8), root / "embeddings", "x2")
    both, _, info = node.execute("x2", previous=node.execute("x").result[0]).result
    assert [c.name for c in both.concepts] == ["<x>", "<x2>"] and "In prompts: <x2> or embedding:x2" in info
    assert node.execute("sub/y").result[1] == "embedding:sub/y" and node.execute("x").result[1] == "embedding:x"
    assert node.validate_inputs("x") is True and node.validate_inputs("seal_tails/t") is True
    assert node.validate_inputs("no").startswith("name: ") and node.validate_inputs("").startswith("name: ")
    embedding, name, _ = node.execute("seal_tails/t.safetensors", previous=embedding).result
    assert name == "" and [c.name for c in embedding.concepts] == ["<x>", "<y>", "<t>"]
    with refused("embedding: .*twice"):
        node.execute("x.safetensors", previous=embedding)
    save_concept(x, root, "secret")  # outside both folders
    for missing in ("no.safetensors", "../../secret.safetensors", "seal_tails/../../secret.safetensors"):
        with refused("name: "):
            node.execute(missing)
    save_file({"emb_params": torch.randn(2, 768)}, root / "embeddings" / "other.safetensors")
    with refused("class_word: "):
        node.execute("other.safetensors")
    with refused("embedding: "):
        node.execute("other.safetensors", "cat", embedding)
    before = node.fingerprint_inputs("x.safetensors")
    assert before == node.fingerprint_inputs(name="x.safetensors", class_word="", previous=None)
    wired = node.fingerprint_inputs(None)
    assert node.validate_inputs(None) is True and wired == node.fingerprint_inputs(None)
    (root / "embeddings" / "x.safetensors").unlink()
    save_concept(concept(count=3), root / "embeddings", "x")
    assert node.fingerprint_inputs("x.safetensors") != before and node.fingerprint_inputs(None) != wired


if __name__ == "__main__":
    run(globals())
