"""Makes torch_classifiers.json: names, shapes and logits of torchvision's and timm's networks.

Run it in an environment with torch, torchvision and timm: `python make_torch_classifiers.py`. The
weights are seeded by their names, so that the record holds none. Networks are small or narrow where
their library's classes allow it; torchvision 0.28.0 and timm 1.0.31 made the record.
"""

import json
from functools import partial
from pathlib import Path

import seeded
import timm
import torch
from timm.models import (
    convnext,
    densenet as timm_densenet,
    mlp_mixer,
    resnet as timm_resnet,
    vgg as timm_vgg,
    vision_transformer,
)
from torch import nn
from torchvision import models as tv
from torchvision.models import convnext as tv_convnext, mobilenetv3, resnet, vgg

CLASSES = 7
GROUPED = {"layers": [1, 1, 1, 1], "num_classes": CLASSES, "width_per_group": 4, "groups": 32}
V3 = {"large": "mobilenet_v3_large", "small": "mobilenet_v3_small"}


def narrow_vgg(norm):
    """Torchvision's VGG 11 with 8 to 16 filters and dense layers of 32."""
    filters = [8, "M", 8, "M", 16, 16, "M", 16, 16, "M", 16, 16, "M"]
    network = vgg.VGG(vgg.make_layers(filters, batch_norm=norm), num_classes=CLASSES)
    network.classifier = dense(16 * 7 * 7, (0, 3, 6))
    return network


def narrow_alexnet():
    """Torchvision's AlexNet with dense layers of 32."""
    network = tv.alexnet(num_classes=CLASSES)
    network.classifier = dense(256 * 6 * 6, (1, 4, 6))
    return network


def dense(features, places):
    """Linear layers at these places, with ReLU between and nothing else that acts."""
    parts = [nn.Identity() for _ in range(7)]
    for units, place in zip((32, 32, CLASSES), places, strict=True):
        parts[place] = nn.Linear(features, units)
        if place != places[-1]:
            parts[place + 1] = nn.ReLU()
        features = units
    return nn.Sequential(*parts)


def mobilenet_v3(size):
    """Half as wide as published."""
    settings, last = mobilenetv3._mobilenet_v3_conf(V3[size], width_mult=0.5)
    return mobilenetv3.MobileNetV3(settings, last, num_classes=CLASSES)


def efficientnet():
    """A quarter as wide and half as deep as b0."""
    conf = tv.efficientnet._efficientnet_conf
    settings, last = conf("efficientnet_b0", width_mult=0.25, depth_mult=0.5)
    return tv.EfficientNet(settings, dropout=0.2, last_channel=last, num_classes=CLASSES)


def squeezenet():
    """Without the ReLU behind its classifier, which the recipe has not."""
    network = tv.squeezenet1_1(num_classes=CLASSES)
    network.classifier[2] = nn.Identity()
    return network


def convnext_of_torchvision():
    """Two stages."""
    stages = [tv_convnext.CNBlockConfig(16, 32, 2), tv_convnext.CNBlockConfig(32, None, 1)]
    return tv_convnext.ConvNeXt(stages, num_classes=CLASSES)


# Name: (network, side of the pictures).
NETWORKS = {
    "resnet18": (partial(tv.resnet18, num_classes=CLASSES), 64),
    "resnet50": (partial(tv.resnet50, num_classes=CLASSES), 64),
    "resnext": (partial(resnet.ResNet, resnet.Bottleneck, **GROUPED), 64),
    "wide_resnet": (
        partial(resnet.ResNet, resnet.Bottleneck, [1, 1, 1, 1], CLASSES, width_per_group=128),
        64,
    ),
    "seresnet": (
        partial(
            timm_resnet.ResNet,
            timm_resnet.Bottleneck,
            [1, 1, 1, 1],
            num_classes=CLASSES,
            block_args={"attn_layer": "se"},
        ),
        64,
    ),
    "alexnet": (narrow_alexnet, 224),
    "vgg11": (partial(narrow_vgg, False), 224),
    "vgg11_bn": (partial(narrow_vgg, True), 224),
    "vgg11_timm": (
        partial(timm_vgg.VGG, cfg=[8, "M", 8, "M", 16, "M", 16, "M", 16, "M"], num_classes=CLASSES),
        224,
    ),
    "densenet_timm": (
        partial(timm_densenet.DenseNet, growth_rate=8, block_config=(2, 3), num_classes=CLASSES),
        64,
    ),
    "densenet": (
        partial(
            tv.DenseNet,
            growth_rate=8,
            block_config=(2, 3),
            num_init_features=16,
            num_classes=CLASSES,
        ),
        64,
    ),
    "mobilenet_v2": (partial(tv.mobilenet_v2, width_mult=0.5, num_classes=CLASSES), 64),
    "mobilenet_v2_timm": (partial(timm.create_model, "mobilenetv2_050", num_classes=CLASSES), 64),
    "mobilenet_v3_large": (partial(mobilenet_v3, "large"), 64),
    "mobilenet_v3_small": (partial(mobilenet_v3, "small"), 64),
    "mobilenet_v3_timm": (
        partial(timm.create_model, "mobilenetv3_small_100", num_classes=CLASSES),
        64,
    ),
    "efficientnet": (efficientnet, 64),
    "efficientnet_timm": (partial(timm.create_model, "efficientnet_b0", num_classes=CLASSES), 64),
    "squeezenet": (squeezenet, 64),
    "convnext": (convnext_of_torchvision, 64),
    "convnext_timm": (
        partial(convnext.ConvNeXt, depths=(1, 2, 1, 1), dims=(8, 16, 16, 24), num_classes=CLASSES),
        64,
    ),
    "vit": (
        partial(
            tv.VisionTransformer,
            image_size=32,
            patch_size=8,
            num_layers=2,
            num_heads=2,
            hidden_dim=32,
            mlp_dim=128,
            num_classes=CLASSES,
        ),
        32,
    ),
    "vit_timm": (
        partial(
            vision_transformer.VisionTransformer,
            img_size=32,
            patch_size=8,
            embed_dim=32,
            depth=2,
            num_heads=2,
            num_classes=CLASSES,
        ),
        32,
    ),
    "mlp_mixer": (
        partial(
            mlp_mixer.MlpMixer,
            img_size=32,
            patch_size=8,
            num_blocks=2,
            embed_dim=32,
            num_classes=CLASSES,
        ),
        32,
    ),
}


# By which kernels let the signal grow, so that the logits tell the pictures apart; 1.5 otherwise.
GAINS = {
    **dict.fromkeys(("resnet18", "resnet50", "resnext", "wide_resnet", "seresnet"), 1.0),
    **dict.fromkeys(("mobilenet_v2", "mobilenet_v2_timm", "mobilenet_v3_large"), 1.25),
    **dict.fromkeys(("densenet", "densenet_timm"), 1.25),
    **dict.fromkeys(("mobilenet_v3_timm", "efficientnet_timm"), 1.4),
}


def record(name, build, side):
    """Shapes by name, and the logits of two pictures."""
    gain = GAINS.get(name, 1.5)
    network = build().eval()
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    arrays = {name: torch.from_numpy(array) for name, array in seeded.weights(shapes, gain).items()}
    network.load_state_dict(arrays)
    pictures = torch.from_numpy(seeded.pictures(side).transpose(0, 3, 1, 2).copy())
    with torch.no_grad():
        logits = network(pictures).numpy()
    return {
        "side": side,
        "gain": gain,
        "shapes": shapes,
        "logits": logits.astype("float64").round(6).tolist(),
    }


if __name__ == "__main__":
    records = {name: record(name, *network) for name, network in NETWORKS.items()}
    path = Path(__file__).with_name("torch_classifiers.json")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(one)}" for name, one in records.items())
    path.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    for name, one in records.items():
        print(name, one["logits"])
