"""A tiny network of each family of KerasHub, for pictures of 32 or 64 pixels, and its own call."""

import warnings

import keras
import numpy as np

SMALL = {"num_layers": 3, "num_heads": 2, "hidden_dim": 16}
CASES = {
    "CSPNet": {
        "stem_filters": 8,
        "stem_kernel_size": 3,
        "stem_strides": 1,
        "stackwise_depth": [1, 2],
        "stackwise_strides": [2, 2],
        "stackwise_num_filters": [16, 32],
        "block_type": "dark_block",
        "stage_type": "csp",
        "block_ratio": [0.5, 0.5],
        "image_shape": (32, 32, 3),
    },
    "DeiT": {**SMALL, "image_shape": (32, 32, 3), "patch_size": 8, "intermediate_dim": 24},
    "DenseNet": {
        "stackwise_num_repeats": [1, 2, 1],
        "growth_rate": 4,
        "image_shape": (32, 32, 3),
    },
    "DINOv2": {
        **SMALL,
        "image_shape": (32, 32, 3),
        "position_embedding_shape": (64, 64, 3),
        "patch_size": 8,
        "intermediate_dim": 24,
        "num_register_tokens": 2,
        "drop_path_rate": 0.1,
    },
    "DINOv3": {
        **SMALL,
        "image_shape": (32, 32, 3),
        "patch_size": 8,
        "intermediate_dim": 24,
        "num_register_tokens": 2,
        "drop_path_rate": 0.1,
    },
    "EfficientNet": {
        "stackwise_width_coefficients": [1.0] * 3,
        "stackwise_depth_coefficients": [1.0] * 3,
        "stackwise_kernel_sizes": [3, 3, 5],
        "stackwise_num_repeats": [1, 2, 1],
        "stackwise_input_filters": [8, 8, 16],
        "stackwise_output_filters": [8, 16, 24],
        "stackwise_expansion_ratios": [1, 4, 4],
        "stackwise_squeeze_and_excite_ratios": [0.25, 0.25, 0.0],
        "stackwise_strides": [1, 2, 2],
        "stackwise_block_types": ["v1", "fused", "unfused"],
        "stackwise_force_input_filters": [0, 0, 0],
        "stackwise_nores_option": [False] * 3,
        "input_shape": (32, 32, 3),
    },
    "HGNetV2": {
        "depths": [1, 2],
        "embedding_size": 8,
        "hidden_sizes": [16, 32],
        "stem_channels": [3, 4, 8],
        "hidden_act": "relu",
        "use_learnable_affine_block": True,
        "stackwise_stage_filters": [[8, 8, 16, 1, 2, 3], [16, 8, 32, 2, 2, 3]],
        "apply_downsample": [False, True],
        "use_lightweight_conv_block": [False, True],
        "image_shape": (32, 32, 3),
    },
    "MiT": {
        "layerwise_depths": [1, 2],
        "num_layers": 2,
        "layerwise_num_heads": [1, 2],
        "layerwise_sr_ratios": [2, 1],
        "max_drop_path_rate": 0.1,
        "layerwise_patch_sizes": [7, 3],
        "layerwise_strides": [4, 2],
        "hidden_dims": [8, 16],
        "image_shape": (32, 32, 3),
    },
    "MobileNet": {
        "stackwise_expansion": [[8, 16], [24, 24]],
        "stackwise_num_blocks": [2, 2],
        "stackwise_num_filters": [[8, 8], [16, 16]],
        "stackwise_kernel_size": [[3, 3], [5, 5]],
        "stackwise_num_strides": [[2, 1], [2, 1]],
        "stackwise_se_ratio": [[None, None], [0.25, 0.25]],
        "stackwise_activation": [["relu", "relu"], ["hard_swish", "hard_swish"]],
        "stackwise_padding": [[1, 1], [2, 2]],
        "output_num_filters": 32,
        "depthwise_filters": 8,
        "depthwise_stride": 2,
        "depthwise_residual": False,
        "last_layer_filter": 24,
        "squeeze_and_excite": 0.5,
        "image_shape": (32, 32, 3),
    },
    "MobileNetV5": {
        "stackwise_block_types": [["er"], ["uir", "mqa"]],
        "stackwise_num_blocks": [1, 2],
        "stackwise_num_filters": [[8], [16, 16]],
        "stackwise_strides": [[2], [2, 1]],
        "stackwise_act_layers": [["relu"], ["relu", "relu"]],
        "stackwise_exp_ratios": [[4.0], [2.0, 1.0]],
        "stackwise_se_ratios": [[0.0], [0.0, 0.0]],
        "stackwise_dw_kernel_sizes": [[0], [5, 0]],
        "stackwise_dw_start_kernel_sizes": [[0], [0, 0]],
        "stackwise_dw_end_kernel_sizes": [[0], [0, 0]],
        "stackwise_exp_kernel_sizes": [[3], [0, 0]],
        "stackwise_pw_kernel_sizes": [[1], [0, 0]],
        "stackwise_num_heads": [[0], [0, 2]],
        "stackwise_key_dims": [[0], [0, 8]],
        "stackwise_value_dims": [[0], [0, 8]],
        "stackwise_kv_strides": [[0], [0, 1]],
        "stackwise_use_cpe": [[False], [False, False]],
        "stem_size": 8,
        "num_features": 32,
        "msfa_output_resolution": 4,
        "image_shape": (32, 32, 3),
    },
    "ResNet": {
        "input_conv_filters": [64],
        "input_conv_kernel_sizes": [3],
        "stackwise_num_filters": [64, 16, 16],
        "stackwise_num_blocks": [1, 2, 1],
        "stackwise_num_strides": [1, 2, 2],
        "block_type": "basic_block",
        "image_shape": (32, 32, 3),
    },
    "Swin": {
        "image_shape": (32, 32, 3),
        "embed_dim": 8,
        "depths": [1, 2],
        "num_heads": [1, 2],
        "window_size": 2,
    },
    "VGG": {
        "stackwise_num_repeats": [1, 2],
        "stackwise_num_filters": [8, 16],
        "image_shape": (32, 32, 3),
    },
    "ViT": {
        **SMALL,
        "image_shape": (32, 32, 3),
        "patch_size": 8,
        "mlp_dim": 24,
        "dropout_rate": 0.1,
    },
    "ViTDet": {
        "hidden_size": 16,
        "num_layers": 3,
        "intermediate_dim": 24,
        "num_heads": 2,
        "global_attention_layer_indices": [2],
        "image_shape": (32, 32, 3),
        "patch_size": 8,
        "num_output_channels": 16,
        "window_size": 2,
    },
    "Xception": {
        "stackwise_conv_filters": [[8, 8], [16, 16], [24, 24], [32]],
        "stackwise_pooling": [False, True, True, False],
        "image_shape": (32, 32, 3),
    },
    "CLIP": {**SMALL, "image_shape": (32, 32, 3), "patch_size": 8, "intermediate_dim": 24},
    "MetaCLIP2": {**SMALL, "image_shape": (32, 32, 3), "patch_size": 8, "intermediate_dim": 24},
    "SigLIP": {**SMALL, "image_shape": (32, 32, 3), "patch_size": 8, "intermediate_dim": 24},
}


def network(family: str):
    """The family's tiny network, as KerasHub builds it, with initial weights."""
    import keras
    import keras_hub

    from recipes.backbones.hub.families import FAMILIES

    keras.utils.set_random_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = getattr(keras_hub.models, FAMILIES[family].class_name)(**CASES[family])
    for layer in found._flatten_layers():
        if type(layer).__name__ == "WindowAttention":
            layer.supports_masking = True  # else it warns whenever it is called
    return found


def run(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def pixels(side=32, count=2):
    shape = (count, side, side, 3)
    return np.random.default_rng(0).uniform(0, 255, shape).astype("float32")


def own_call(theirs, backbone, x):
    """What KerasHub makes of pictures that were preprocessed outside."""
    x = x * np.float32(backbone.architecture["scale"]) + np.float32(backbone.architecture["offset"])
    given = dict.fromkeys(theirs.input, x) if isinstance(theirs.input, dict) else x
    output = theirs(given, training=False)
    if isinstance(output, dict):  # of stages, whose order is another on PyTorch
        output = min(output.values(), key=lambda one: one.shape[1])
    return keras.ops.convert_to_numpy(output)
