"""What torchvision and timm call the layers that a recipe has under one name.

A recipe's layers are named as in torchvision, those of ConvNeXt, ViT and MLP-Mixer as in timm, with
"_" for "."; the tables turn the other names into these.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping

Rules = tuple[tuple[str, str | Callable[[re.Match], str]], ...]

HEAD = "predictions"
THEIR_HEADS = r"fc|head|head\.fc|heads\.head|classifier|classifier\.\d+"
UNUSED_BY_ALL = "num_batches_tracked"
PARALLEL = "module."  # of torch.nn.DataParallel


def _stage(match: re.Match) -> str:
    """Torchvision counts ConvNeXt's stages and what is between them as one row."""
    index, rest = int(match[1]), match[2]
    part, tail = rest.split(".", 1)
    if index % 2 == 0:
        return f"stages.{index // 2}.downsample.{rest}"
    parts = {
        "block.0.": "conv_dw.",
        "block.2.": "norm.",
        "block.3.": "mlp.fc1.",
        "block.5.": "mlp.fc2.",
        "layer_scale": "gamma",
    }
    for theirs, timms in parts.items():
        tail = tail.replace(theirs, timms)
    return f"stages.{index // 2}.blocks.{part}.{tail}"


CONVNEXT: Rules = (
    (r"^features\.0\.", "stem."),
    (r"^features\.(\d)\.(.*)", _stage),
    (r"^classifier\.0\.", "head.norm."),
)
VIT: Rules = (
    (r"^conv_proj\.", "patch_embed.proj."),
    (r"^class_token$", "cls_token"),
    (r"^encoder\.pos_embedding$", "pos_embed"),
    (r"^encoder\.layers\.encoder_layer_", "blocks."),
    (r"^encoder\.ln\.", "norm."),
    (r"\.ln_(\d)\.", r".norm\1."),
    (r"\.self_attention\.in_proj_", ".attn.qkv."),
    (r"\.self_attention\.out_proj\.", ".attn.proj."),
    (r"\.mlp\.(linear_1|0)\.", ".mlp.fc1."),
    (r"\.mlp\.(linear_2|3)\.", ".mlp.fc2."),
)
DENSENET: Rules = (  # files from before 2018
    (r"(\.denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2."),
)
VGG: Rules = (  # of timm
    (r"^pre_logits\.fc1\.", "classifier.0."),
    (r"^pre_logits\.fc2\.", "classifier.3."),
)
# The rules of the family that has this layer.
FAMILIES: Mapping[str, Rules] = {
    "stages_0_blocks_0_conv_dw": CONVNEXT,
    "patch_embed_proj": VIT,
    "features_denseblock1_denselayer1_conv1": DENSENET,
    "classifier_0": VGG,
}


def in_our_words(keys: Iterable[str], layers: Collection[str]) -> dict[str, str]:
    """Each key of a state dict, in the words of the recipe whose layers these are.

    Example:
        >>> in_our_words(["encoder.layers.encoder_layer_0.ln_1.bias"], ["patch_embed_proj"])
        {'encoder.layers.encoder_layer_0.ln_1.bias': 'blocks.0.norm1.bias'}
    """
    keys = [key for key in keys if not key.endswith(UNUSED_BY_ALL)]
    parallel = bool(keys) and all(key.startswith(PARALLEL) for key in keys)
    found = {key: key.removeprefix(PARALLEL) if parallel else key for key in keys}
    if "conv_stem.weight" in found.values():
        timms = _of_timm(list(found.values()), layers)
        found = {key: timms[name] for key, name in found.items()}
    for layer, rules in FAMILIES.items():
        if layer in layers:
            for pattern, words in rules:
                found = {key: re.sub(pattern, words, name) for key, name in found.items()}
    return found


def _of_timm(keys: list[str], layers: Collection[str]) -> dict[str, str]:
    """Timm's names of the networks of inverted residuals: blocks.stage.repeat.part."""
    places = [match for key in keys if (match := re.match(r"blocks\.(\d+)\.(\d+)\.", key))]
    blocks = list(dict.fromkeys((int(match[1]), int(match[2])) for match in places))
    last = len(blocks) + 1
    if any(layer.startswith("features_1_0_block") for layer in layers):
        last = blocks[-1][0] + 2
        names = {place: f"features.{place[0] + 1}.{place[1]}.block" for place in blocks}
    else:
        part = "conv" if any(layer.startswith("features_1_conv") for layer in layers) else "block"
        names = {place: f"features.{index}.{part}" for index, place in enumerate(blocks, 1)}
    found = {}
    for key in keys:
        match = re.match(r"blocks\.(\d+)\.(\d+)\.(.*)\.(\w+)$", key)
        if match:
            place = (int(match[1]), int(match[2]))
            module = _part(names[place], match[3], set(keys), f"blocks.{place[0]}.{place[1]}")
            found[key] = f"{module}.{match[4]}"
        else:
            found[key] = key
    return _ends(found, last, wide="conv_head.bias" in keys)


def _part(block: str, part: str, keys: set[str], theirs: str) -> str:
    """The name of a part of a block, which torchvision counts."""
    if part in ("conv", "bn1") and f"{theirs}.conv.weight" in keys:  # version 3's last
        return f"{block.rsplit('.', 1)[0]}.{0 if part == 'conv' else 1}"
    expands = int(f"{theirs}.conv_pwl.weight" in keys)
    squeezes = int(f"{theirs}.se.conv_reduce.weight" in keys)
    kernels = ["conv_pw", "conv_dw", "conv_pwl"] if expands else ["conv_dw", "conv_pw"]
    roles = {}
    for index, kernel in enumerate(kernels, start=1):
        count = index - 1 + (squeezes if index == len(kernels) else 0)
        roles[kernel], roles[f"bn{index}"] = f"{count}.0", f"{count}.1"
    if block.endswith(".conv"):  # version 2's projection is in no part of its own
        roles[kernels[-1]], roles[f"bn{len(kernels)}"] = f"{expands + 1}", f"{expands + 2}"
    roles |= {"se.conv_reduce": f"{expands + 1}.fc1", "se.conv_expand": f"{expands + 1}.fc2"}
    return f"{block}.{roles[part]}"


def _ends(found: dict[str, str], last: int, *, wide: bool) -> dict[str, str]:
    """The stem and the last convolution, which in version 3 is a dense layer."""
    head = "classifier.0." if wide else f"features.{last}.0."
    starts = {
        "conv_stem.": "features.0.0.",
        "bn1.": "features.0.1.",
        "conv_head.": head,
        "bn2.": f"features.{last}.1.",
    }
    for start, ours in starts.items():
        found = {key: re.sub(f"^{re.escape(start)}", ours, name) for key, name in found.items()}
    return found


def matched(layers: Iterable[str], keys: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The module or bare array of each layer that has one, and the keys of no layer.

    The classifier's is the one of a classifier's name that no other layer has.

    Args:
        layers: names of those with weights.
        keys: of a state dict, in our words.

    Example:
        >>> matched(["conv1", "predictions"], ["conv1.weight", "fc.weight", "fc.bias"])
        ({'conv1': 'conv1', 'predictions': 'fc'}, [])
    """
    keys = list(keys)
    modules = {key: [key] for key in keys}
    for key in keys:
        modules.setdefault(key.rpartition(".")[0], []).append(key)
    flat = {module.replace(".", "_"): module for module in modules}
    layers = set(layers)
    names = {layer: flat[layer] for layer in layers if layer in flat}
    used = {key for module in names.values() for key in modules[module]}
    left = [key for key in keys if key not in used]
    heads = {module for key in left if re.fullmatch(THEIR_HEADS, module := key.rpartition(".")[0])}
    if HEAD in layers and len(heads) == 1:
        names[HEAD] = heads.pop()
        left = [key for key in left if key not in modules[names[HEAD]]]
    return names, left
