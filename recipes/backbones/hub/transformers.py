"""KerasHub's transformers of pictures."""

from collections.abc import Mapping
from math import prod

from recipes.backbones.hub.family import CLIP, HALF, UNIT, Family
from recipes.backbones.hub.values import (
    ACTIVATION,
    CHANNELS_LAST,
    COUNT,
    COUNTS,
    NONE,
    NUMBER,
    SHAPE,
    SHARE,
    SIDES,
    TRUTH,
    WHOLE,
    WHOLES,
    many,
)

ENCODER = dict.fromkeys(("patch_size", "num_layers", "hidden_dim", "num_heads"), COUNT)
VIT = {
    **ENCODER,
    "patch_size": SIDES,
    "dropout_rate": SHARE,
    "attention_dropout": SHARE,
    "layer_norm_epsilon": NUMBER,
    "use_mha_bias": TRUTH,
    "data_format": CHANNELS_LAST,
}
DINO = {
    **ENCODER,
    "intermediate_dim": COUNT,
    "layer_scale_init_value": NUMBER,
    "num_register_tokens": WHOLE,
    "use_mask_token": TRUTH,
    "drop_path_rate": SHARE,
    "apply_layernorm": TRUTH,
    "data_format": CHANNELS_LAST,
}
TOWER = {
    **ENCODER,
    "intermediate_dim": COUNT,
    "intermediate_activation": ACTIVATION,
    "data_format": CHANNELS_LAST,
}
CLIP_TOWER = {**TOWER, "intermediate_output_index": NONE}


def _patches(values: Mapping) -> int:
    patch = values["patch_size"]
    return patch if isinstance(patch, int) else max(patch)


def _swin_step(values: Mapping) -> int:
    """The last stage holds a whole window, or none of its blocks fits."""
    return values["patch_size"] * 2 ** (len(values["depths"]) - 1) * values["window_size"]


def _with_registers(values: Mapping) -> tuple[str, int]:
    return "class_and_mean", 1 + values.get("num_register_tokens", 0)


TRANSFORMERS = (
    Family(
        "DeiT",
        "DeiTBackbone",
        {**VIT, "intermediate_dim": COUNT},
        licence="Apache-2.0",
        pooling=lambda values: ("class", 2),
        multiple=_patches,
        fixed=True,
        positions=True,
    ),
    Family(
        "DINOv2",
        "DINOV2Backbone",
        {
            **DINO,
            "use_swiglu_ffn": TRUTH,
            "dropout_rate": SHARE,
            "position_embedding_shape": SHAPE | many(COUNT),
            "antialias_in_interpolation": TRUTH,
        },
        licence="Apache-2.0",
        pooling=_with_registers,
        multiple=_patches,
        fixed=True,
        positions=True,
        square=True,
        settled=lambda values: {
            "position_embedding_shape": values["image_shape"],
            "use_mask_token": False,
            "apply_layernorm": False,
        },
    ),
    Family(
        "DINOv3",
        "DINOV3Backbone",
        {
            **DINO,
            "hidden_activation": ACTIVATION,
            "use_gated_mlp": TRUTH,
            "use_query_bias": TRUTH,
            "use_key_bias": TRUTH,
            "use_value_bias": TRUTH,
            "use_proj_bias": TRUTH,
            "use_mlp_bias": TRUTH,
            "attention_dropout": SHARE,
            "layer_norm_eps": NUMBER,
            "rope_theta": NUMBER,
        },
        licence="DINOv3 License",
        pooling=_with_registers,
        multiple=_patches,
        fixed=True,
        square=True,
        settled=lambda values: {"use_mask_token": False, "apply_layernorm": False},
    ),
    Family(
        "MiT",
        "MiTBackbone",
        {
            "layerwise_depths": COUNTS,
            "hidden_dims": COUNTS,
            "num_layers": COUNT,
            "layerwise_num_heads": COUNTS,
            "layerwise_sr_ratios": COUNTS,
            "max_drop_path_rate": SHARE,
            "layerwise_patch_sizes": COUNTS,
            "layerwise_strides": COUNTS,
        },
        block="HierarchicalTransformerEncoder",
        multiple=lambda values: prod(values["layerwise_strides"]),
        fixed=True,
        square=True,
    ),
    Family(
        "Swin",
        "SwinTransformerBackbone",
        {
            "embed_dim": COUNT,
            "depths": COUNTS,
            "num_heads": COUNTS,
            "window_size": COUNT,
            "patch_size": COUNT,
            "mlp_ratio": NUMBER,
            "qkv_bias": TRUTH,
            "dropout_rate": SHARE,
            "attention_dropout": SHARE,
            "drop_path": SHARE,
            "patch_norm": TRUTH,
            "data_format": CHANNELS_LAST,
        },
        licence="MIT",
        pooling=lambda values: ("mean", 0),
        multiple=_swin_step,
        fixed=True,
    ),
    Family(
        "ViT",
        "ViTBackbone",
        {
            **VIT,
            "mlp_dim": COUNT,
            "use_mlp_bias": TRUTH,
            "use_class_token": TRUTH,
            "use_patch_bias": TRUTH,
        },
        licence="Apache-2.0",
        mean=HALF,
        optional=("data_format", "use_class_token", "use_patch_bias"),
        pooling=lambda values: ("class", 1) if values.get("use_class_token", True) else ("mean", 0),
        multiple=_patches,
        fixed=True,
        positions=True,
    ),
    Family(
        "ViTDet",
        "ViTDetBackbone",
        {
            "patch_size": COUNT,
            "hidden_size": COUNT,
            "num_layers": COUNT,
            "intermediate_dim": COUNT,
            "num_heads": COUNT,
            "num_output_channels": COUNT,
            "use_bias": TRUTH,
            "use_abs_pos": TRUTH,
            "use_rel_pos": TRUTH,
            "window_size": WHOLE,
            "global_attention_layer_indices": WHOLES,
            "layer_norm_epsilon": NUMBER,
        },
        licence="Apache-2.0",
        mean=UNIT,
        block="WindowedTransformerEncoder",
        multiple=_patches,
        fixed=True,
        own_size=True,
        square=True,
    ),
    Family(
        "CLIP",
        "CLIPVisionEncoder",
        CLIP_TOWER,
        licence="MIT",
        mean=CLIP,
        optional=("data_format", "intermediate_output_index"),
        block="CLIPEncoderLayer",
        pooling=lambda values: ("class", 1),
        multiple=_patches,
        fixed=True,
        positions=True,
        square=True,
        tower="CLIPBackbone",
    ),
    Family(
        "MetaCLIP2",
        "MetaCLIP2VisionEncoder",
        CLIP_TOWER,
        mean=CLIP,
        optional=("data_format", "intermediate_output_index"),
        block="MetaCLIP2EncoderLayer",
        pooling=lambda values: ("class", 1),
        multiple=_patches,
        fixed=True,
        positions=True,
        square=True,
        tower="MetaCLIP2Backbone",
    ),
    Family(
        "SigLIP",
        "SigLIPVisionEncoder",
        {**TOWER, "layer_norm_epsilon": NUMBER},
        licence="Apache-2.0",
        mean=HALF,
        pooling=lambda values: ("none", 0),
        multiple=_patches,
        fixed=True,
        positions=True,
        square=True,
        tower="SigLIPBackbone",
    ),
)
