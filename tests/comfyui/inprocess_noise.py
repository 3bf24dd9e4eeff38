"""What models are trained to predict, by ComfyUI's ModelSampling nodes: `PYTHON inprocess_noise.py COMFY_DIR`.

Each kind is either weighted as derived by hand here, or refused before a training.
"""

from __future__ import annotations

# The kit comes first: it puts ComfyUI on the path.
from inprocess_kit import CLIP, FOLDER, MODEL, refused, run
from inprocess_train import VAE, train

# isort: split

import comfy.latent_formats
import comfy.model_sampling
import torch
from comfy_extras import nodes_model_advanced
from seal_pack.nodes.comfy.comfy_host import ComfyHost
from seal_pack.nodes.comfy.noising import Noising
from seal_pack.seal_core.hosts.base import Prompt
from seal_pack.seal_core.method.losses import denoising_errors

NODES = nodes_model_advanced.NODE_CLASS_MAPPINGS
WIDE = {"sigma_max": 120.0, "sigma_min": 0.002}


def patched(node, *args, **kwargs):
    return NODES[node]().patch(MODEL, *args, **kwargs)[0]


def mixed(sampling_base, kind, **methods):
    """MODEL with a model_sampling as other packs make theirs."""
    model = MODEL.clone()
    sampling = type("ModelSampling", (sampling_base, kind), methods)(MODEL.model.model_config)
    model.add_object_patch("model_sampling", sampling)
    return model


# Each gives (c_in x_t, target) of a picture, a noise and a noise level.


def epsilon(x_0, noise, sigma):
    return (x_0 + sigma * noise) / (sigma**2 + 1).sqrt(), noise


def velocity(x_0, noise, sigma):
    return (x_0 + sigma * noise) / (sigma**2 + 1).sqrt(), (noise - sigma * x_0) / (sigma**2 + 1).sqrt()


def picture(x_0, noise, sigma):
    return (x_0 + sigma * noise) / (sigma**2 + 1).sqrt(), x_0


def karras(x_0, noise, sigma, data=0.5):
    root = (sigma**2 + data**2).sqrt()
    return (x_0 + sigma * noise) / root, (sigma * x_0 - data**2 * noise) / (data * root)


def flow(x_0, noise, sigma):
    return (1 - sigma) * x_0 + sigma * noise, noise - x_0


def cosmos(x_0, noise, sigma):
    return flow(x_0, noise, sigma / (sigma + 1))


ALLOWED = {
    "as it is": (MODEL, "epsilon", epsilon),
    "eps": (patched("ModelSamplingDiscrete", "eps", False), "epsilon", epsilon),
    "v": (patched("ModelSamplingDiscrete", "v_prediction", False), "v_prediction", velocity),
    "v zsnr": (patched("ModelSamplingDiscrete", "v_prediction", True), "v_prediction", velocity),
    "eps zsnr": (patched("ModelSamplingDiscrete", "eps", True), "epsilon", epsilon),
    "x0": (patched("ModelSamplingDiscrete", "x0", False), "x0", picture),
    "edm v": (patched("ModelSamplingContinuousEDM", "v_prediction", **WIDE), "v_prediction", velocity),
    "edm eps": (patched("ModelSamplingContinuousEDM", "eps", **WIDE), "epsilon", epsilon),
    "edm": (patched("ModelSamplingContinuousEDM", "edm", **WIDE), "edm, sigma_data 0.5", karras),
    "playground": (
        patched("ModelSamplingContinuousEDM", "edm_playground_v2.5", **WIDE), "edm, sigma_data 0.5", karras
    ),
    "cosmos": (patched("ModelSamplingContinuousEDM", "cosmos_rflow", **WIDE), "cosmos_rflow", cosmos),
    "continuous v": (
        patched("ModelSamplingContinuousV", "v_prediction", sigma_max=500.0, sigma_min=0.03), "v_prediction", velocity
    ),
    "sd3": (patched("ModelSamplingSD3", 3.0), "flow", flow),
    "flux": (patched("ModelSamplingFlux", 1.15, 0.5, 512, 512), "flow", flow),
    "rescale": (patched("RescaleCFG", 0.7), "epsilon", epsilon),
    "own schedule": (
        mixed(comfy.model_sampling.ModelSamplingDiscrete, comfy.model_sampling.EPS, sigma_max=14.0), "epsilon", epsilon
    ),
}  # fmt: skip
if "ModelNoiseScale" in NODES:  # newer cores

    def louder(x_0, noise, sigma):
        return flow(x_0, 2 * noise, sigma)

    ALLOWED["noise scale"] = (NODES["ModelNoiseScale"]().patch(ALLOWED["sd3"][0], 2.0)[0], "flow", louder)


def errors(host, x_0, noise, sigma):
    """The loss's own errors, and what the U-Net read and gave."""
    seen = {}
    hook = host.unet.register_forward_hook(lambda module, args, output: seen.update(read=args[0], gave=output))
    try:
        with torch.no_grad():
            context = host.encode([Prompt("a cat")], {}).rows([0] * len(x_0))
            predicted = host.denoise(host.add_noise(x_0, noise, sigma), sigma, context)
    finally:
        hook.remove()
    everywhere = torch.ones(len(x_0), *x_0.shape[2:])
    return denoising_errors(predicted, x_0, host.loss_weight(sigma), everywhere, 1.0), seen["read"], seen["gave"]


def check_the_loss_is_the_error_of_what_the_model_was_trained_to_predict():
    generator = torch.Generator().manual_seed(0)
    for name, (model, prediction, by_hand) in ALLOWED.items():
        with torch.inference_mode(False), ComfyHost(model, CLIP, VAE) as host:
            assert host.prediction == prediction, (name, host.prediction)
            last = len(host.sigmas) - 1
            sigma = host.sigmas[[round(share * last) for share in (0.3, 0.6, 0.9, 1.0)]]
            x_0, noise = (torch.randn(len(sigma), 4, 8, 8, generator=generator) for _ in range(2))
            got, read, gave = errors(host, x_0, noise, sigma)
            wanted, target = by_hand(x_0, noise, sigma[:, None, None, None])
            assert torch.allclose(read, wanted, atol=1e-4), name
            hand = (gave - target).square().mean(dim=(1, 2, 3))
            assert torch.allclose(got, hand, rtol=2e-3), (name, sigma, got, hand)


def check_every_allowed_kind_trains_and_the_report_tells_it():
    for name, (model, prediction, _) in ALLOWED.items():
        _, _, report = train(model, preset="hiper", name=f"kind-{name.replace(' ', '-')}")
        assert report["prediction"] == prediction and max(report["losses"]) < 100, (name, report["losses"])


def check_rescale_cfg_is_not_part_of_a_training():
    _, _, plain = train(preset="hiper", name="plain")
    _, _, rescaled = train(ALLOWED["rescale"][0], preset="hiper", name="rescaled")
    assert plain["losses"] == rescaled["losses"]


def check_what_cannot_be_trained_is_refused_before():
    def own(self, sigma, output, x_t):
        return output

    kinds = comfy.model_sampling
    others = {
        "LCM": patched("ModelSamplingDiscrete", "lcm", False),
        "IMG_TO_IMG": patched("ModelSamplingDiscrete", "img_to_img", False),
        "ModelSampling": mixed(kinds.ModelSamplingDiscrete, kinds.EPS, calculate_denoised=own),
        "Own": mixed(kinds.ModelSamplingDiscrete, type("Own", (kinds.EPS,), {"noise_scaling": own})),
        "EPS": mixed(kinds.ModelSamplingDiscrete, type("EPS", (kinds.EPS,), {"calculate_input": own})),
    }
    for name in ("IMG_TO_IMG_FLOW", "IMG_TO_IMG_VELOCITY", "V_PREDICTION_DDPM"):
        if hasattr(kinds, name):
            others[name] = mixed(kinds.ModelSamplingDiscrete, getattr(kinds, name))
    replaced = mixed(kinds.ModelSamplingDiscrete, kinds.EPS)
    replaced.get_model_object("model_sampling").calculate_denoised = lambda sigma, output, x_t: output
    others["ModelSampling "] = replaced
    before = sorted(FOLDER.iterdir())
    for name, model in others.items():
        with refused(f"^model: it is sampled as {name.strip()}, .*Wire the MODEL from before"):
            train(model, name="refused")
    with refused("^model: its noise levels go from 0 to .*shift"):
        train(patched("ModelSamplingSD3", 0.0), name="refused")
    assert sorted(FOLDER.iterdir()) == before
    with torch.inference_mode(False), ComfyHost(others["LCM"], CLIP, VAE) as host:  # masks by attention only look
        seen, noise, sigma = torch.zeros(1, 4, 8, 8), torch.ones(1, 4, 8, 8), host.sigmas[-1:]
        assert torch.equal(host.add_noise(seen, noise, sigma), sigma * noise)


def check_latents_are_scaled_by_the_format_that_a_node_patched():
    image = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0))
    model, wanted = ALLOWED["playground"][0], comfy.latent_formats.SDXL_Playground_2_5()
    with torch.inference_mode(False), ComfyHost(model, CLIP, VAE) as host:
        raw = VAE.encode(image).clone()
        assert torch.allclose(host.encode_image(image), wanted.process_in(raw), atol=1e-5), "not loaded yet"
        host.encode([Prompt("a cat")], {})
        assert torch.allclose(host.encode_image(image), wanted.process_in(raw), atol=1e-5)
        back = host.decode_latents(wanted.process_in(raw))
        assert torch.allclose(back, VAE.decode(raw).float(), atol=1e-4)


def check_kinds_with_equal_noise_levels_have_other_fingerprints():
    wired = [model for model, _, _ in ALLOWED.values()] + [patched("ModelSamplingSD3", 4.0)]
    prints = [[ComfyHost(model, CLIP, VAE).fingerprint() for model in wired] for _ in range(2)]
    assert prints[0] == prints[1] and len(set(prints[0])) >= len(wired) - 2, prints
    of = dict(zip([*ALLOWED, "sd3"], prints[0]))
    assert len({of[name] for name in of if name not in ("rescale", "own schedule")}) == len(of) - 2, of


def check_zero_terminal_snr_is_weighted_finitely():
    for kind in ("v zsnr", "eps zsnr"):
        noising = Noising(ALLOWED[kind][0].get_model_object("model_sampling"))
        weights = noising.loss_weight(noising.sigmas)
        assert noising.sigmas[-1] > 4000 and weights.isfinite().all() and (weights > 0).all()


run(globals())
