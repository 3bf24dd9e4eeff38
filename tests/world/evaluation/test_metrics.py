"""What an evaluation asks, which methods it knows, and how samples become numbers: by hand-worked values."""

import dataclasses
import itertools

import numpy as np
import pytest

from seal_core.demo.attribute_values import PLAIN_BACKGROUNDS, SCENE, VALUES
from seal_core.messages import SealError
from seal_core.method import augment as views
from seal_core.method.presets import PRESETS
from seal_core.world.evaluation import metrics
from seal_core.world.evaluation.character_plan import FEWEST_PROMPTS, NEUTRAL, characters, plan_character
from seal_core.world.evaluation.compared_methods import BUDGET, COMPONENTS, label, method
from seal_core.world.evaluation.evaluation_report import claims, components
from seal_core.world.evaluation.method_groups import GROUPS, parse_methods
from seal_core.world.evaluation.metrics import (
    METRICS,
    differences,
    gathered,
    interval,
    metric_table,
    of_trial,
    resamples,
)
from seal_core.world.renderer import seeds

REFERENCE = {"emotion": "sad", "action": "jumping", "camera": "full body", "style": "pixel art", "background": "beach"}


# -- plans ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20_000_000, 20_000_030))
def test_a_plan_asks_nothing_that_the_reference_answers(seed):
    plan = plan_character(seed, 16)
    reference = plan.reference.asdict()
    assert (
        reference["background"] not in PLAIN_BACKGROUNDS
        and reference["action"] != "standing"
        and plan.reference.shows("action")
    )
    assert len(plan.asks) == 16 and sum(a.kind == "open" for a in plan.asks) == 6
    for ask in plan.asks:
        if ask.kind == "open":
            assert not ask.vary and "background" not in ask.values
        else:
            value = ask.values[ask.vary]
            assert value not in (reference[ask.vary], getattr(NEUTRAL, ask.vary)) and value in VALUES[ask.vary]
            assert ask.filled.shows(ask.vary)
        if ask.kind == "full":
            assert set(ask.values) == {a for a in SCENE if ask.filled.shows(a)}
            assert all(ask.values[a] == getattr(NEUTRAL, a) for a in ask.values if a != ask.vary)
        if ask.kind == "short":
            assert set(ask.values) <= {ask.vary, "camera"}
    for kind in ("full", "short"):
        assert {a.vary for a in plan.asks if a.kind == kind} == set(SCENE)


def test_every_attribute_is_asked_and_left_open_even_in_the_smallest_plan():
    plan = plan_character(30_000_000, FEWEST_PROMPTS, 1)
    assert {a.vary for a in plan.asks} - {""} == set(SCENE)
    for attribute in ("background", "action", "camera"):
        assert any(a.kind == "open" and metrics._is_open({"values": a.values}, attribute) for a in plan.asks), attribute
    assert plan == plan_character(30_000_000, FEWEST_PROMPTS, 1) != plan_character(30_000_001, FEWEST_PROMPTS, 1)


def test_prompts_are_worded_as_the_prompt_node_words_them():
    ask = plan_character(20_000_000).asks[0]
    assert ask.text("cat").startswith("a sticker of cat, ") and ask.text("cat").endswith("plain white background")


def test_characters_of_the_splits_never_meet():
    assert characters("test", 3, 2) == [30_000_002, 30_000_003, 30_000_004]
    assert characters("validation", 1) == [20_000_000]
    ranges = [seeds.TRAIN, seeds.JUDGE, seeds.VALIDATION, seeds.TEST, seeds.EXAMPLES]
    assert all(a.stop <= b.start for a, b in itertools.pairwise(ranges))
    for bad in (("test", 0), ("test", 5, -1), ("test", 2, 9_999_999), ("train", 1)):
        with pytest.raises(SealError):
            characters(*bad)
    with pytest.raises(SealError, match="prompts: 7"):
        plan_character(1, 7)
    with pytest.raises(SealError, match="samples"):
        plan_character(1, 8, 0)


def test_augmentation_paints_no_ground_that_the_world_draws():
    """Kinds of pattern have other names and looks; plain grounds have other colours."""
    import torch

    patterns = {v for v in VALUES["background"] if v not in PLAIN_BACKGROUNDS}
    assert not patterns & set(views.AUGMENT_GROUNDS)
    generator = torch.Generator().manual_seed(0)
    said = set()
    for _ in range(600):
        names = [list(views.COLOURS)[j] for j in torch.randperm(len(views.COLOURS), generator=generator)]
        said.add(views._ground(16, 16, names, generator)[1])
    assert len(said) > 100 and not said & set(VALUES["background"])


# -- methods -------------------------------------------------------------------------------------------


def test_without_a_component_a_method_differs_in_nothing_else():
    best = method("best")
    for name in COMPONENTS:
        without = method(f"best-without-{name}")
        assert not without.uses(name)
        changed = {k for k, v in without.config.effective().items() if v != best.config.effective()[k]}
        assert changed <= {f.partition(".")[0] for f in COMPONENTS[name].off}
        assert (without.key() != best.key()) == best.uses(name)
        assert (name == "vectors") != (f"best-{'without' if best.uses(name) else 'with'}-{name}" in GROUPS["ablation"])
        assert [m.name for m in parse_methods(f"best-with-{name}")][-1] == f"best-with-{name}"
        assert method(f"best-with-{name}").uses(name)


def test_alone_means_on_top_of_textual_inversion():
    ti = method("textual_inversion")
    assert not any(ti.uses(c) for c in COMPONENTS)
    for name in COMPONENTS:
        only = method(f"only-{name}")
        assert only.uses(name) and not any(only.uses(c) for c in COMPONENTS if c != name)
    assert method("only-words").words and method("only-words").config == ti.config


def test_presets_have_one_budget():
    for name in PRESETS:
        method_ = method(name)
        assert method_.config.steps <= BUDGET["steps"] and method_.config.batch_size == BUDGET["batch_size"]
        assert method_.uses("described") or name.endswith("-seal") or method_.config.steps == BUDGET["steps"]
    # The words to start from are looked for with passes of their own, so fewer steps are left.
    assert method("best_embedding").config.steps <= 2 / 3 * BUDGET["steps"]


def test_pairs_with_seal_have_names():
    assert method("lora-seal").key() == method("best").key() and method("best").config.weights.rank
    assert method("lora-seal-without-layers").key() == method("best-without-layers").key()
    for name in ("textual_inversion", "hiper"):
        assert method(f"{name}-seal").uses("layers") and not method(f"{name}-seal-without-layers").uses("layers")


def test_a_component_switched_on_is_as_best_has_it():
    best = method("best")
    used = [c for c in COMPONENTS if best.uses(c)]
    assert len(used) > 6
    for component in used:
        assert method(f"best-with-{component}").key() == best.key()


def test_names_refine_methods():
    refined = method("best~learning_rate=0.01~tokens.split=3~layers.sites=up.0-2 mid~words=0~templates=a {}|b {}")
    assert refined.config.learning_rate == 0.01 and refined.config.tokens.split == 3 and not refined.words
    assert refined.config.layers.sites == "up.0-2 mid" and refined.config.templates == ("a {}", "b {}")
    curve = method("curve-hiper")
    assert curve.config.steps == 2 * BUDGET["steps"] == max(curve.snapshots) and BUDGET["steps"] in curve.snapshots
    short = curve.limited(10)
    assert short.config.steps == 20 == max(short.snapshots) and method("best").limited(7).config.steps == 7
    grid = method("grid-down mid@0.2-1")
    assert dataclasses.astuple(grid.config.layers) == ("down mid", 0.2, 1.0)
    assert method("grid-all@0-1").key() == method("textual_inversion").key()
    told = refined.for_reference("cat", REFERENCE, 128, 3)
    assert told.attributes == () and told.tokens.class_word == "cat" and told.resolution == 128
    assert dict(method("only-words").for_reference("cat", REFERENCE, 128, 3).attributes) == REFERENCE


@pytest.mark.parametrize(
    "name, words",
    [
        ("worst", "worst"),
        ("best-without-salt", "salt"),
        ("best~colour=3", "colour"),
        ("best~steps=many", "many"),
        ("base~steps=3", "no setting"),
        ("best~steps=-1", "steps"),
        ("base-without-words", "not trained"),
    ],
)
def test_unknown_names_are_refused_with_a_remedy(name, words):
    with pytest.raises(SealError, match=words):
        parse_methods(name)


def test_groups_expand_and_bring_what_all_is_measured_against():
    for group in GROUPS:
        names = [m.name for m in parse_methods(group)]
        assert names[:2] == ["base", "oracle"] and len(set(names)) == len(names)
        assert all(m.label for m in parse_methods(group))
    assert {m.name for m in parse_methods("all")} >= {*GROUPS["main"], *GROUPS["ablation"], *GROUPS["grid"]}


# -- numbers -------------------------------------------------------------------------------------------


def sample(prompt, identity=0.5, traits=None, iou=None, readable=0.8, sharp=0.1, own=False, **judged):
    judged = {**REFERENCE, **judged}
    seen = {"identity": identity, "own": own, "traits": traits or {}, "iou": iou, "readable": readable, "sharp": sharp}
    return {"prompt": prompt, "judged": judged, **seen}


def a_trial(samples, seconds=3.0):
    full = {**NEUTRAL.asdict(), "background": "forest"}
    prompts = [
        {"kind": "full", "vary": "background", "values": full},
        {"kind": "short", "vary": "action", "values": {"action": "running", "camera": "full body"}},
        {"kind": "open", "vary": "", "values": {"emotion": "happy"}},
        {"kind": "open", "vary": "", "values": {"camera": "full body"}},
    ]
    return {"prompts": prompts, "reference": REFERENCE, "samples": samples, "seconds": seconds, "attention": None}


def test_metrics_of_a_trial_by_hand():
    trial = a_trial(
        [
            sample(0, 0.8, {"species": True, "main": True}, 0.25, background="forest", action="standing"),
            sample(0, 0.6, {"species": False, "main": False}, 0.75),  # kept the beach and the jump
            sample(1, 0.4, {"main": True}, action="running", background="hearts", own=True),
            sample(1, 0.2),  # kept the jump
            sample(2, 0.5),  # open: beach and full body as the reference; the action cannot be told
            sample(2, 0.5, background="snowy", camera="close-up"),
            sample(3, 0.5, action="sitting"),  # open: beach; another action
            sample(3, 0.5),
        ]
    )
    found = of_trial(trial)
    assert found["identity"] == pytest.approx(0.5)
    assert found["own"] == 1 / 8
    assert found["species"] == 0.5 and found["traits"] == pytest.approx(2 / 3) and found["iou"] == 0.5
    assert found["background"] == 0.5 and found["action"] == 0.5 and "emotion" not in found
    # Background: named in the first prompt only; of the six other samples four show the reference's.
    assert found["leakage_raw"] == pytest.approx(4 / 6) and found["leakage_named"] == 0.5
    assert found["_open_camera"] == 0.5 and found["_open_action"] == 0.5
    # Action: asked for standing (full) and running (short), kept in 2 of 4. Camera: full body is the reference's own.
    assert found["rigidity_named"] == 0.5 and found["seconds"] == 3.0 and "controllability" not in found


def test_controllability_needs_all_five():
    kinds = [{"kind": "short", "vary": a, "values": {a: NEUTRAL.asdict()[a], "camera": "full body"}} for a in SCENE]
    right = [sample(i, **{a: kinds[i]["values"][a]}) for i, a in enumerate(SCENE)]
    right[0]["judged"]["emotion"] = "angry"
    trial = {**a_trial(right), "prompts": kinds}
    assert of_trial(trial)["controllability"] == pytest.approx(0.8)


def test_open_shares_are_counted_above_the_base_models():
    rows = [{"identity": 0.5, "leakage_raw": 0.75, "_open_action": 0.5, "_open_camera": 1.0, "seconds": 1.0}] * 2
    base = [
        {"identity": 0.1, "leakage_raw": 0.25, "_open_action": 0.25, "_open_camera": 0.5, "seconds": 0.0},
        {"identity": 0.1, "leakage_raw": 0.0, "_open_action": 0.0, "_open_camera": 0.5, "seconds": 0.0},
    ]
    values = gathered(rows, base)
    assert values["leakage"].tolist() == [0.5, 0.75] and values["leakage_raw"].tolist() == [0.75, 0.75]
    assert values["rigidity_action"].tolist() == [0.25, 0.5] and values["rigidity_camera"].tolist() == [0.5, 0.5]
    assert values["rigidity"].tolist() == [0.375, 0.5]
    assert not any(name.startswith("_") for name in values) and set(values) <= set(METRICS)
    own = gathered(base, base)
    assert not own["leakage"].any() and not own["rigidity"].any()


def test_quality_is_a_share_of_the_base_models():
    rows = [{"readable": 0.8, "sharp": 0.1}, {"readable": 0.4, "sharp": 0.05}]
    base = [{"readable": 0.8, "sharp": 0.1}, {"readable": 0.8, "sharp": 0.1}]
    values = gathered(rows, base)
    assert values["readable"].tolist() == [1.0, 0.5] and values["quality"].tolist() == [1.0, 0.5]


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng, hits = np.random.default_rng(1), 0
    index = resamples(40, 500)
    for _ in range(200):
        found = interval(rng.normal(0.3, 1.0, 40), index)
        hits += found["lo"] <= 0.3 <= found["hi"]
    assert 0.88 <= hits / 200 <= 0.99


def test_pairing_makes_differences_sharp():
    rng = np.random.default_rng(0)
    character_effect = rng.normal(0, 1, 20)
    one, other = character_effect + 0.1, character_effect + rng.normal(0, 0.01, 20)
    index = resamples(20)
    assert (index == resamples(20)).all()
    change = differences({"identity": one}, {"identity": other, "iou": other}, index)
    assert set(change) == {"identity"} and change["identity"]["lo"] > 0.08
    apart = interval(one, index)
    assert apart["hi"] - apart["lo"] > 0.5


def test_scaled_identity_has_base_at_zero_and_oracle_at_one():
    rng = np.random.default_rng(0)
    base, oracle = rng.normal(0.2, 0.05, 10), rng.normal(0.9, 0.05, 10)
    methods = {n: {"identity": v} for n, v in (("base", base), ("oracle", oracle), ("half", (base + oracle) / 2))}
    found = metric_table(methods, resamples(10))
    for name, value in (("base", 0.0), ("oracle", 1.0), ("half", 0.5)):
        scaled = found[name]["identity_scaled"]
        assert scaled["mean"] == scaled["lo"] == scaled["hi"] == pytest.approx(value)


def test_one_character_gives_a_point():
    assert interval(np.array([0.4]), resamples(1)) == {"mean": 0.4, "lo": 0.4, "hi": 0.4}


def constant(**values):
    return {m: {"mean": v, "lo": v - 0.01, "hi": v + 0.01} for m, v in values.items()}


def test_claims_are_checked_against_the_numbers():
    base = constant(controllability=0.9, background=0.95, camera=0.9, action=0.7, style=0.9, emotion=0.8, species=1.0)
    ti = constant(identity=0.5, controllability=0.6, both=0.2, leakage=0.6, rigidity=0.4, leakage_raw=0.6)
    best = constant(identity=0.7, controllability=0.89, both=0.21, leakage=0.1, rigidity=0.05, quality=0.95)
    measured = {"base": base, "textual_inversion": ti, "lora": ti, "best": best}
    found = {c["claim"]: c["holds"] for c in claims(measured)}
    assert not found["base model: action at least 80%"] and found["base model: emotion at least 75%"]
    assert found["Textual Inversion leaks in at least half of the open samples"]
    name = label("best")
    assert found[f"{name}: leakage at most a fifth of LoRA's"] and found[f"{name}: rigidity at most a fifth of LoRA's"]
    assert found[f"{name}: identity not lower"] and found["best: identity at least 0.7"]
    assert found[f"{name}: controllability within 2 points of the base model's"]
    assert not found["best: both at least 0.65"] and found["best: quality at least 0.9"]
    assert not found["best: leakage at most .05"] and found["best: rigidity at most .05"]
    worse = claims(measured | {"best": best | constant(leakage=0.13, controllability=0.87, identity=0.49)})
    lost = {c["claim"] for c in worse if not c["holds"]} - {claim for claim, holds in found.items() if not holds}
    assert lost == {
        f"{name}: leakage at most a fifth of LoRA's",
        f"{name}: controllability within 2 points of the base model's",
        f"{name}: identity not lower",
        "best: identity at least 0.7",
    }


def test_what_a_component_buys_is_signed():
    flat = {
        name: {"identity": np.full(4, v)}
        for name, v in (
            ("textual_inversion", 0.4),
            ("only-layers", 0.5),
            ("best", 0.8),
            ("best-without-layers", 0.6),
            ("best-with-split", 0.7),
        )
    }
    found = components(flat, resamples(4))
    assert found["layers"]["alone"]["identity"]["mean"] == pytest.approx(0.1)
    assert found["layers"]["in best"]["identity"]["mean"] == pytest.approx(0.2)
    assert found["split"]["added_to_best"]["identity"]["mean"] == pytest.approx(-0.1) and "alone" not in found["split"]


def test_a_method_that_is_told_the_looks_starts_from_them_and_only_it():
    scene = {"background": "beach"}
    told, plain = method("lora-told"), method("lora")
    config = told.for_reference("cat", scene, 128, 1, looks="grey cat with white belly")
    assert dict(config.attributes) == {"appearance": "grey cat with white belly"}
    assert config.tokens.init == "described" and config.weights == plain.config.weights
    assert dict(method("best-told").for_reference("cat", scene, 128, 1, looks="grey cat").attributes) == {
        "appearance": "grey cat",
        **scene,
    }
    assert not dict(plain.for_reference("cat", scene, 128, 1, looks="grey cat").attributes)
    assert len({m.key() for m in (told, plain, method("base"), method("base-told"))}) == 4
    assert method("base-told").label == "base model, the looks in words"
    assert method("best-told").label == "SEAL best, told the looks"


def test_a_method_that_looks_at_its_sticker_learns_as_the_other_does():
    looking, half, plain = (method(f"best{end}") for end in ("-looking", "-looking@0.5", ""))
    assert (looking.looking, half.looking, plain.looking) == (1.0, 0.5, 0.0)
    assert looking.config == half.config == plain.config
    assert len({m.key() for m in (looking, half, plain, method("base"), method("base-looking"))}) == 5
    assert looking.limited(10).looking == 1.0
    assert half.label == "SEAL best, looking at its sticker (0.5)"


def test_a_method_may_be_guided_to_its_concept():
    once, more, plain = (method(f"best{end}") for end in ("-guided", "-guided@2.5", ""))
    assert (once.guided, more.guided, plain.guided) == (1.0, 2.5, 0.0)
    assert once.config == plain.config and len({m.key() for m in (once, more, plain, method("best-looking"))}) == 4
    assert more.label == "SEAL best, guided to the concept (2.5)"
