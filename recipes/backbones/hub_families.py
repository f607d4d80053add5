"""The families of KerasHub's picture networks: what their values may be and how they are used.

Free of KerasHub, so that a file can be checked without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from recipes.backbones.hub_values import (
    ACTIVATION,
    ANY_WHOLE,
    CHANNELS_LAST,
    COUNT,
    NONE,
    NUMBER,
    SHAPE,
    SHARE,
    TRUTH,
    WHOLE,
    Kind,
    checked,
    many,
    one_of,
)

LEAST_SIDE, MOST_SIDE = 32, 4_096
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5,) * 3, (0.5,) * 3)
UNIT = ((0.0,) * 3, (1.0,) * 3)
# What every network of KerasHub says of itself, and that does not matter here.
LEFT_OUT = ("name", "trainable", "dtype")
PAGE = "as stated for the preset at kaggle.com/models/keras"


@dataclass(frozen=True)
class Family:
    """What the networks of a class of KerasHub have in common.

    Attributes:
        name: for people.
        class_name: in `keras_hub.models`.
        kinds: what each of a network's values may be.
        licence: of the published weights.
        mean: of the colours of the pictures that most presets were trained with, 0 to 1.
        optional: values that may be missing.
        block: the class of the layers of which a stage consists; None where stages are found from
            the resolution.
        pooling: how its output becomes one vector, by its values.
        multiple: what a side must be a multiple of, by its values.
        fixed: whether a network takes pictures of one size only.
        square: whether pictures must be square.
        shape_key: the name of the pictures' shape among the values.
        settled: values that differ from those that came, by those.
        tower: the class of which it is the vision tower.
    """

    name: str
    class_name: str
    kinds: Mapping[str, Kind]
    licence: str = PAGE
    mean: tuple = IMAGENET
    optional: tuple[str, ...] = ("data_format",)
    block: str | None = None
    pooling: Callable[[Mapping], tuple[str, int]] = lambda values: ("average", 0)
    multiple: Callable[[Mapping], int] = lambda values: 1
    fixed: bool = False
    square: bool = False
    shape_key: str = "image_shape"
    settled: Callable[[Mapping], dict] = field(default=lambda values: {})
    tower: str | None = None

    def checked(self, values: Any, where: str) -> dict:
        """The values of a network, without those that do not matter.

        Raises:
            ValueError: a value is unknown, missing or not allowed.
        """
        if isinstance(values, Mapping):
            values = {name: value for name, value in values.items() if name not in LEFT_OUT}
        return checked(values, {**self.kinds, self.shape_key: SHAPE}, where, self.optional)

    def sized(self, values: Mapping, size: tuple[int, int]) -> dict:
        """The values of the same network for pictures of a size.

        Raises:
            ValueError: it takes no such pictures.
        """
        step, most = self.multiple(values), MOST_SIDE
        if min(size) < LEAST_SIDE or max(size) > most:
            raise ValueError(f"image_size: {size} pixels; a side is from {LEAST_SIDE} to {most:,}.")
        if self.square and size[0] != size[1]:
            raise ValueError(f"image_size: {size} pixels; {self.name} takes square pictures only.")
        if any(side % step for side in size):
            nearest = max(round(size[0] / step), 1) * step
            raise ValueError(
                f"image_size: {size} pixels; this {self.name} takes multiples of {step}, such as "
                f"{nearest}."
            )
        values = {**values, self.shape_key: [*size, 3]}
        return {**values, **self.settled(values)}


def _patches(values: Mapping) -> int:
    patch = values["patch_size"]
    return patch if isinstance(patch, int) else max(patch)


def _swin_step(values: Mapping) -> int:
    """The last stage holds a whole window, or none of its blocks fits."""
    return values["patch_size"] * 2 ** (len(values["depths"]) - 1) * values["window_size"]


def _with_registers(values: Mapping) -> tuple[str, int]:
    return "class_and_mean", 1 + values.get("num_register_tokens", 0)


SIDES = COUNT | many(COUNT)
COUNTS, WHOLES, NUMBERS, TRUTHS = many(COUNT), many(WHOLE), many(NUMBER), many(TRUTH)
STAGE = one_of("stem", *(f"stage{k}" for k in range(1, 17)))
ENCODER = {
    name: COUNT for name in ("patch_size", "num_layers", "hidden_dim", "num_heads")
}
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

FAMILIES = {
    family.name: family
    for family in (
        Family(
            "CSPNet",
            "CSPNetBackbone",
            {
                "stem_filters": SIDES,
                "stem_kernel_size": COUNT,
                "stem_strides": COUNT,
                "stackwise_depth": COUNTS,
                "stackwise_strides": SIDES,
                "stackwise_num_filters": COUNTS,
                "block_type": one_of("basic_block", "bottleneck_block", "dark_block", "edge_block"),
                "groups": COUNT,
                "stage_type": NONE | one_of("dark", "csp", "cs3"),
                "activation": ACTIVATION,
                "output_strides": COUNT,
                "bottle_ratio": NUMBERS,
                "block_ratio": NUMBERS,
                "expand_ratio": NUMBERS,
                "stem_padding": one_of("valid", "same"),
                "stem_pooling": NONE | one_of("max"),
                "avg_down": TRUTH,
                "down_growth": TRUTH,
                "cross_linear": TRUTH,
                "data_format": CHANNELS_LAST,
            },
        ),
        Family(
            "DeiT",
            "DeiTBackbone",
            {**VIT, "intermediate_dim": COUNT},
            licence="Apache-2.0",
            pooling=lambda values: ("class", 2),
            multiple=_patches,
            fixed=True,
        ),
        Family(
            "DenseNet",
            "DenseNetBackbone",
            {
                "stackwise_num_repeats": COUNTS,
                "compression_ratio": NUMBER,
                "growth_rate": COUNT,
            },
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
            square=True,
            settled=lambda values: {"use_mask_token": False, "apply_layernorm": False},
        ),
        Family(
            "EfficientNet",
            "EfficientNetBackbone",
            {
                "stackwise_width_coefficients": NUMBERS,
                "stackwise_depth_coefficients": NUMBERS,
                "dropout": SHARE,
                "depth_divisor": COUNT,
                "min_depth": NONE | COUNT,
                "activation": ACTIVATION,
                "stackwise_kernel_sizes": COUNTS,
                "stackwise_num_repeats": COUNTS,
                "stackwise_input_filters": COUNTS,
                "stackwise_output_filters": COUNTS,
                "stackwise_expansion_ratios": NUMBERS,
                "stackwise_squeeze_and_excite_ratios": NUMBERS,
                "stackwise_strides": COUNTS,
                "stackwise_block_types": many(one_of("v1", "fused", "unfused", "cba")),
                "stackwise_force_input_filters": WHOLES,
                "stackwise_nores_option": TRUTHS,
                "include_stem_padding": TRUTH,
                "use_depth_divisor_as_min_depth": TRUTH,
                "cap_round_filter_decrease": TRUTH,
                "stem_conv_padding": one_of("same", "valid"),
                "batch_norm_momentum": SHARE,
                "batch_norm_epsilon": NUMBER,
                "projection_activation": NONE | ACTIVATION,
                "num_features": COUNT,
            },
            optional=("stackwise_nores_option", "num_features"),
            shape_key="input_shape",
        ),
        Family(
            "HGNetV2",
            "HGNetV2Backbone",
            {
                "depths": COUNTS,
                "embedding_size": COUNT,
                "hidden_sizes": COUNTS,
                "stem_channels": COUNTS,
                "hidden_act": ACTIVATION,
                "use_learnable_affine_block": TRUTH,
                "stackwise_stage_filters": many(COUNTS),
                "apply_downsample": TRUTHS,
                "use_lightweight_conv_block": TRUTHS,
                "out_features": NONE | many(STAGE),
                "data_format": CHANNELS_LAST,
            },
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
            "MobileNet",
            "MobileNetBackbone",
            {
                **{
                    f"stackwise_{name}": many(COUNTS)
                    for name in ("expansion", "num_filters", "kernel_size", "num_strides")
                },
                "stackwise_num_blocks": COUNTS,
                "stackwise_se_ratio": many(many(NONE | NUMBER)),
                "stackwise_activation": many(many(ACTIVATION)),
                "stackwise_padding": many(WHOLES),
                "input_num_filters": COUNT,
                "output_num_filters": COUNT,
                "depthwise_filters": COUNT,
                "depthwise_stride": COUNT,
                "depthwise_residual": TRUTH,
                "last_layer_filter": COUNT,
                "squeeze_and_excite": NONE | NUMBER,
                "input_activation": ACTIVATION,
                "output_activation": ACTIVATION,
            },
        ),
        Family(
            "MobileNetV5",
            "MobileNetV5Backbone",
            {
                **{
                    f"stackwise_{name}": many(WHOLES)
                    for name in (
                        *("num_filters", "strides", "dw_kernel_sizes", "dw_start_kernel_sizes"),
                        *("dw_end_kernel_sizes", "exp_kernel_sizes", "pw_kernel_sizes"),
                        *("num_heads", "key_dims", "value_dims", "kv_strides"),
                    )
                },
                "stackwise_block_types": many(many(one_of("er", "ir", "uir", "mqa", "mha", "cn"))),
                "stackwise_num_blocks": COUNTS,
                "stackwise_act_layers": many(many(ACTIVATION)),
                "stackwise_exp_ratios": many(NUMBERS),
                "stackwise_se_ratios": many(NUMBERS),
                "stackwise_use_cpe": many(TRUTHS),
                "filters": COUNT,
                "stem_size": COUNT,
                "stem_bias": TRUTH,
                "fix_stem": TRUTH,
                "num_features": COUNT,
                "pad_type": one_of("same", "valid"),
                "use_msfa": TRUTH,
                "msfa_indices": many(ANY_WHOLE),
                "msfa_output_resolution": SIDES,
                "act_layer": ACTIVATION,
                "norm_layer": one_of("rms_norm", "batch_norm"),
                "se_from_exp": TRUTH,
                "drop_path_rate": SHARE,
                "layer_scale_init_value": NONE | NUMBER,
                "data_format": CHANNELS_LAST,
            },
            licence="Gemma terms",
            mean=UNIT,
            fixed=True,
        ),
        Family(
            "ResNet",
            "ResNetBackbone",
            {
                "input_conv_filters": COUNTS,
                "input_conv_kernel_sizes": COUNTS,
                "stackwise_num_filters": COUNTS,
                "stackwise_num_blocks": COUNTS,
                "stackwise_num_strides": COUNTS,
                "block_type": one_of(
                    *("basic_block", "bottleneck_block"),
                    *("basic_block_vd", "bottleneck_block_vd"),
                ),
                "use_pre_activation": TRUTH,
                "data_format": CHANNELS_LAST,
            },
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
            block="SwinTransformerStage",
            pooling=lambda values: ("mean", 0),
            multiple=_swin_step,
            fixed=True,
        ),
        Family(
            "VGG",
            "VGGBackbone",
            {"stackwise_num_repeats": COUNTS, "stackwise_num_filters": COUNTS},
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
            pooling=lambda values: (
                ("class", 1) if values.get("use_class_token", True) else ("mean", 0)
            ),
            multiple=_patches,
            fixed=True,
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
            square=True,
        ),
        Family(
            "Xception",
            "XceptionBackbone",
            {
                "stackwise_conv_filters": many(COUNTS),
                "stackwise_pooling": TRUTHS,
                "data_format": CHANNELS_LAST,
            },
            mean=HALF,
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
            square=True,
            tower="MetaCLIP2Backbone",
        ),
        Family(
            "SigLIP",
            "SigLIPVisionEncoder",
            {**TOWER, "layer_norm_epsilon": NUMBER},
            licence="Apache-2.0",
            mean=HALF,
            block="SigLIPEncoderLayer",
            pooling=lambda values: ("none", 0),
            multiple=_patches,
            fixed=True,
            square=True,
            tower="SigLIPBackbone",
        ),
    )
}
CLASSES = {family.class_name: family for family in FAMILIES.values()}
TOWERS = {family.tower: family for family in FAMILIES.values() if family.tower}
