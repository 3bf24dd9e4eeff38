"""Everything that the pack touches in ComfyUI beyond what ComfyUI promises to node packs.

Promised, and not listed: `comfy_api`, the functions of `folder_paths`, and PUBLIC below. Where a ComfyUI lacks a
listed member, the nodes that need it are switched off at the start with one log line (usable_nodes.py), so nothing
fails halfway through a training. tests/nodes/comfy/test_private_members.py fails for a member of `comfy`, or of an
object of comfy's, that the pack uses and does not list.

Keys of dictionaries cannot be looked up. Those that the pack reads: in a conditioning cross_attn,
cross_attn_controlnet, control, model_conds and pooled_output; in model_options transformer_options and
model_function_wrapper; in transformer_options block, block_index, sigmas, cond_or_uncond, patches, patches_replace,
wrappers and optimized_attention_override.
"""

from __future__ import annotations

from dataclasses import dataclass

READ_IN = ("0.8.0", "0.33.0", "0.38.1")
"""Versions of ComfyUI in which the members were read. The pack's tests run in the first two. Of the last, the files of
UNetModel, CLIPLayer, CONDCrossAttn, BASE, hooks and wrappers were not at hand."""

PUBLIC = (
    "comfy.model_management.InterruptProcessingException",
    "comfy.model_management.throw_exception_if_processing_interrupted",
    "comfy.utils.ProgressBar",
    "folder_paths.folder_names_and_paths",
    "folder_paths.models_dir",
)
"""Node packs have always used these, and so does ComfyUI's own template for packs."""


@dataclass(frozen=True)
class Member:
    """One private member. `path`: "module.name.name", or "module.Class:name" for an attribute that methods set.

    why: what the pack uses it for. takes: arguments that it must have, in this order. only_since: the first version
    that has it; the pack does without it in older ones.
    """

    path: str
    why: str
    takes: tuple[str, ...] = ()
    only_since: str = ""


MEMBERS: dict[str, tuple[Member, ...]] = {
    "text": (
        Member("comfy.sd.CLIP:cond_stage_model", "the text encoders"),
        Member("comfy.sd.CLIP:layer_idx", "CLIP skip, kept with a concept and compared when it is used"),
        Member("comfy.sd.CLIP.tokenize", "word ids tell where a concept stands", takes=("return_word_ids",)),
        Member("comfy.sd1_clip.SDClipModel", "telling SD 1.x, SD 2.x and SDXL apart"),
        Member("comfy.sd1_clip.SDClipModel:transformer", "the table of token embeddings: where a token starts"),
        Member("comfy.sd1_clip.SDClipModel:options_default", "the layer that CLIP skip is counted from"),
        Member("comfy.clip_model.CLIPTextModel.get_input_embeddings", "the table of token embeddings"),
    ),
    "sites": (
        Member("comfy.model_patcher.ModelPatcher:model", "the U-Net in a MODEL"),
        Member("comfy.model_base.BaseModel:diffusion_model", "the U-Net in a MODEL"),
        Member("comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel", "models that have sites"),
        Member("comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel:input_blocks", "the order of the sites"),
        Member("comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel:middle_block", "the order of the sites"),
        Member("comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel:output_blocks", "the order of the sites"),
        Member("comfy.ldm.modules.diffusionmodules.openaimodel.ResBlock", "the scale of a site's map"),
        Member("comfy.ldm.modules.diffusionmodules.openaimodel.ResBlock:h_upd", "the scale of a site's map"),
        Member("comfy.ldm.modules.diffusionmodules.openaimodel.Downsample", "the scale of a site's map"),
        Member("comfy.ldm.modules.diffusionmodules.openaimodel.Upsample", "the scale of a site's map"),
        Member("comfy.ldm.modules.attention.SpatialTransformer", "where text enters"),
        Member("comfy.ldm.modules.attention.SpatialTransformer:transformer_blocks", "where text enters"),
        Member("comfy.ldm.modules.attention.BasicTransformerBlock", "where text enters"),
        Member("comfy.ldm.modules.attention.BasicTransformerBlock:attn2", "where text enters"),
        Member("comfy.ldm.modules.attention.BasicTransformerBlock:switch_temporal_ca_to_sa", "where no text enters"),
        Member("comfy.ldm.modules.attention.CrossAttention:to_k", "the width of the text that a model reads"),
        Member("comfy.model_base.ModelType.V_PREDICTION", "the resolution that SD 2.x was made for"),
        Member("comfy.model_base.BaseModel:model_type", "the resolution that SD 2.x was made for"),
        Member("comfy.model_base.BaseModel:model_config", "the resolution of the tiny model"),
    ),
    "routing": (
        Member("comfy.sd.CLIP.encode_from_tokens_scheduled", "a prompt with vectors in it"),
        Member("comfy.conds.CONDCrossAttn", "a second context beside a conditioning's own"),
        Member("comfy.patcher_extension.WrappersMP.OUTER_SAMPLE", "once per sampling: which contexts are needed"),
        Member("comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL", "once per pass: which site reads which"),
        Member("comfy.patcher_extension.WrappersMP.CALC_COND_BATCH", "which prompts are whose, for a reference"),
        Member("comfy.patcher_extension.WrappersMP.APPLY_MODEL", "a pass over the style pictures before each pass"),
        Member("comfy.patcher_extension.WrapperExecutor:class_obj", "the guider of a sampling"),
        Member(
            "comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel.forward",
            "what the wrapper of a pass gets and hands on",
            takes=("x", "timesteps", "context", "y", "control", "transformer_options"),
        ),
        Member("comfy.model_patcher.ModelPatcher.clone", "the routed model beside the wired one"),
        Member("comfy.model_patcher.ModelPatcher.add_wrapper_with_key", "the two wrappers"),
        Member("comfy.model_patcher.ModelPatcher.remove_wrappers_with_key", "applying twice is applying once"),
        Member("comfy.model_patcher.ModelPatcher.get_model_object", "noise levels of the token's time window"),
        Member("comfy.model_sampling.ModelSamplingDiscrete.percent_to_sigma", "the token's time window"),
        Member("comfy.model_sampling.ModelSamplingDiscrete.sigma", "the noise level of a pass that does not say it"),
        Member("comfy.sd.load_lora_for_models", "weights of a concept, as Load LoRA adds them"),
        Member("comfy.model_patcher.ModelPatcher:load_device", "where weights are added"),
        Member("comfy.model_patcher.ModelPatcher:model_options", "which weights a model has already"),
        Member("comfy.samplers.get_area_and_mult", "the negative prompt's inputs", ("conds", "x_in", "timestep_in")),
        Member("comfy.samplers.CFGGuider:conds", "the conditionings of a sampling"),
        Member("comfy.samplers.CFGGuider:model_options", "where the wrappers of a pass find their plan"),
        Member("comfy.samplers.CFGGuider:model_patcher", "the model of a sampling"),
    ),
    "training": (
        Member("comfy.model_management.get_free_memory", "gradient checkpointing where memory is short"),
        Member("comfy.model_management.load_models_gpu", "whole models", takes=("memory_required", "force_full_load")),
        Member("comfy.model_patcher.ModelPatcher", "the wired model"),
        Member("comfy.model_patcher.ModelPatcher:load_device", "where a model computes"),
        Member("comfy.model_patcher.ModelPatcher:model.model_lowvram", "refusing models that were loaded in part"),
        Member("comfy.model_patcher.ModelPatcher.get_model_object", "what nodes have put in place of a model's own"),
        Member("comfy.model_patcher.ModelPatcher:model_options", "patches of others, which run while training too"),
        Member("comfy.model_patcher.ModelPatcher:wrappers", "wrappers of others"),
        Member("comfy.model_patcher.ModelPatcher:injections", "whether others inject layers: then nothing is replayed"),
        Member("comfy.model_patcher.ModelPatcher.unpin_all_weights", "before weights are made normal tensors"),
        Member("comfy.model_patcher.ModelPatcher.pre_run", "patches ask the model for its patcher"),
        Member("comfy.model_patcher.ModelPatcher.cleanup", "the end of that"),
        Member("comfy.model_base.BaseModel.apply_model", "a pass", takes=("t", "c_crossattn", "transformer_options")),
        Member("comfy.model_base.BaseModel.extra_conds", "SDXL's sizes and pooled text"),
        Member("comfy.conds.CONDRegular.process_cond", "SDXL's sizes and pooled text", takes=("batch_size",)),
        Member("comfy.conds.CONDRegular:cond", "SDXL's sizes and pooled text"),
        Member("comfy.model_base.BaseModel.memory_required", "room for a backward pass"),
        Member("comfy.model_base.BaseModel:manual_cast_dtype", "whether the U-Net computes in half precision"),
        Member("comfy.model_base.BaseModel.get_dtype", "whether the U-Net computes in half precision"),
        Member("comfy.model_base.BaseModel:latent_format", "the scale of latents"),
        Member("comfy.latent_formats.LatentFormat.process_in", "the scale of latents"),
        Member("comfy.latent_formats.LatentFormat.process_out", "the scale of latents"),
        Member("comfy.sd.VAE.encode", "the sticker's latents"),
        Member("comfy.sd.VAE.decode", "the preview"),
        Member("comfy.model_sampling.EPS.calculate_denoised", "weights of the loss, by ComfyUI's own formulas"),
        Member("comfy.model_sampling.EPS.calculate_input", "whether the model reads noise as a class means it"),
        Member("comfy.model_sampling.EPS.noise_scaling", "noise, by ComfyUI's own formulas"),
        Member("comfy.model_sampling.ModelSamplingDiscrete:sigmas", "noise levels"),
        Member("comfy.model_sampling.ModelSamplingDiscrete.timestep", "what tells one noise from another"),
        Member("comfy.model_management.vram_state", "refusing --novram"),
        Member("comfy.model_management.VRAMState.NO_VRAM", "refusing --novram"),
        Member("comfy.model_management.is_device_cpu", "refusing --novram on cards"),
        Member("comfy.model_management.current_loaded_models", "freeing static copies"),
        Member("comfy.model_management.LoadedModel.model", "freeing static copies"),
        Member("comfy.model_management.LoadedModel.model_unload", "freeing static copies"),
        Member("comfy.model_management.soft_empty_cache", "freeing static copies"),
        Member("comfy.model_management.in_training", "telling that gradients flow", only_since="0.14"),
        Member("comfy.model_patcher.ModelPatcher.is_dynamic", "static copies of streamed weights", only_since="0.16"),
        Member("comfy.model_patcher.ModelPatcher:cached_patcher_init", "loading the file again", only_since="0.16"),
        Member("comfy.model_patcher.ModelPatcher.clone", "a static copy", ("disable_dynamic",), only_since="0.16"),
        Member("comfy.sd.CLIP.clone", "the wired CLIP with a static copy in it"),
        Member("comfy.model_patcher.ModelPatcher.get_nested_additional_models", "streamed models that patches bring"),
        Member("comfy.model_patcher.ModelPatcher.model_patches_models", "streamed models that patches bring"),
        Member("comfy.model_patcher.ModelPatcher.model_size", "what a static copy takes, for the report"),
        Member("comfy.model_patcher.ModelPatcher.get_key_patches", "weights before patches, for the hash"),
        Member("comfy.model_patcher.ModelPatcher:patches", "LoRAs, for the hash of a training"),
        Member("comfy.model_patcher.ModelPatcher:weight_wrapper_patches", "for the hash of a training"),
        Member("comfy.model_patcher.ModelPatcher:object_patches", "ModelSampling nodes, for the hash of a training"),
        Member("comfy.model_patcher.ModelPatcher:callbacks", "for the hash of a training"),
        Member("comfy.model_patcher.ModelPatcher:additional_models", "for the hash of a training"),
        Member("comfy.model_patcher.ModelPatcher:forced_hooks", "hooks on the text encoder, for the hash"),
        Member("comfy.model_patcher.ModelPatcher:hook_patches", "hooks on the text encoder, for the hash"),
        Member("comfy.hooks.HookGroup:hooks", "hooks on the text encoder, for the hash"),
        Member("comfy.hooks.Hook:hook_ref", "hooks on the text encoder, for the hash"),
        Member("comfy.sd.CLIP:tokenizer_options", "for the hash of a training"),
        Member("comfy.ldm.modules.attention.attention_pytorch", "an attention that gradients can pass"),
        Member("comfy.ldm.modules.attention.BasicTransformerBlock:attn1", "masks from attention"),
        Member("comfy.ldm.modules.attention.CrossAttention:to_q", "attention maps"),
        Member("comfy.ldm.modules.attention.CrossAttention:to_v", "letting the token into chosen sites only"),
        Member("comfy.ldm.modules.attention.CrossAttention:heads", "attention maps"),
        Member("comfy.patcher_extension.copy_nested_dicts", "transformer_options of a pass"),
        Member("comfy.patcher_extension.merge_nested_dicts", "transformer_options of a pass"),
        Member(
            "comfy.clip_model.CLIPLayer.forward", "adds in place: no autograd", ("x", "mask", "optimized_attention")
        ),
        Member("comfy.clip_model.CLIPLayer:layer_norm1", "the same out of place"),
        Member("comfy.clip_model.CLIPLayer:self_attn", "the same out of place"),
        Member("comfy.clip_model.CLIPLayer:layer_norm2", "the same out of place"),
        Member("comfy.clip_model.CLIPLayer:mlp", "the same out of place"),
        Member("comfy.ops.disable_weight_init.Linear.forward_comfy_cast_weights", "a product that gradients can pass"),
        Member("comfy.sd1_clip.SDClipModel.encode", "a batch of prompts with gradients"),
        Member("comfy.sd1_clip.SDClipModel.set_clip_options", "CLIP skip and device"),
        Member("comfy.sd1_clip.SDClipModel.reset_clip_options", "CLIP skip and device"),
        Member("comfy.sd.CLIP:patcher", "the text encoders' place in memory"),
        Member("comfy.sd.VAE:patcher", "the VAE's weights, for the hash of a training"),
    ),
    "demo": (
        Member("comfy.diffusers_convert.convert_vae_state_dict", "names of the VAE's weights"),
        Member("comfy.latent_formats.LatentFormat", "the tiny model's latents"),
        Member("comfy.model_base.ModelType.EPS", "what the tiny model predicts"),
        Member("comfy.model_base.ModelType.V_PREDICTION", "what the tiny model predicts"),
        Member("comfy.model_base.BaseModel.load_model_weights", "the tiny MODEL"),
        Member("comfy.model_management.OOM_EXCEPTION", "out of memory is no damaged file"),
        Member("comfy.model_management.get_torch_device", "where the tiny model runs"),
        Member("comfy.model_management.unet_dtype", "as a checkpoint loader asks"),
        Member("comfy.model_management.unet_manual_cast", "as a checkpoint loader asks"),
        Member("comfy.model_management.unet_inital_load_device", "as a checkpoint loader asks"),
        Member("comfy.model_management.unet_offload_device", "as a checkpoint loader asks"),
        Member("comfy.model_patcher.ModelPatcher", "the tiny MODEL"),
        Member("comfy.sd.CLIP", "the tiny CLIP", takes=("target", "tokenizer_data", "parameters", "model_options")),
        Member("comfy.sd.CLIP.load_sd", "the tiny CLIP"),
        Member("comfy.sd.VAE", "the tiny VAE", takes=("sd", "config", "dtype")),
        Member("comfy.sd.VAE:first_stage_model", "the preview's colours"),
        Member("comfy.sd1_clip.SD1ClipModel", "the tiny CLIP"),
        Member("comfy.sd1_clip.SD1Tokenizer", "the tiny CLIP"),
        Member("comfy.sd1_clip.SDTokenizer", "the tiny CLIP", takes=("embedding_size",)),
        Member("comfy.supported_models_base.BASE", "the tiny MODEL"),
        Member("comfy.supported_models_base.BASE:unet_config", "the tiny MODEL"),
        Member("comfy.supported_models_base.BASE.set_inference_dtype", "the tiny MODEL"),
        Member("comfy.supported_models_base.BASE.get_model", "the tiny MODEL"),
        Member("comfy.supported_models_base.ClipTarget", "the tiny CLIP"),
        Member("comfy.utils.unet_to_diffusers", "names of the U-Net's weights"),
    ),
    "packs": (Member("comfy.cli_args.args.disable_metadata", "--disable-metadata, which packs obey"),),
}
"""Area -> its members. `usable_nodes.NEEDS` says which node needs which areas."""
