"""Names of files that no network of today's libraries has, and of timm's VGG."""

import pytest

from recipes.backbones.torch_names import in_our_words, matched


@pytest.mark.parametrize(
    ("layer", "theirs", "ours"),
    [
        (
            "features_denseblock1_denselayer1_conv1",
            "features.denseblock2.denselayer12.norm.1.running_mean",
            "features.denseblock2.denselayer12.norm1.running_mean",
        ),
        (
            "features_denseblock1_denselayer1_conv1",
            "features.denseblock2.denselayer12.conv.2.weight",
            "features.denseblock2.denselayer12.conv2.weight",
        ),
        ("classifier_0", "pre_logits.fc2.bias", "classifier.3.bias"),
        ("classifier_0", "features.3.weight", "features.3.weight"),
        ("conv1", "layer1.0.bn1.num_batches_tracked", None),
    ],
)
def test_other_names(layer, theirs, ours):
    assert in_our_words([theirs], [layer]) == ({} if ours is None else {theirs: ours})


@pytest.mark.parametrize(
    ("others", "head"), [([], "fc"), (["layer5.weight"], "fc"), (["classifier.weight"], None)]
)
def test_the_classifier_is_found_where_one_module_can_be_it(others, head):
    keys = ["conv1.weight", "fc.weight", *others]
    names, left = matched(["conv1", "predictions"], keys)
    assert names.get("predictions") == head
    assert left == (others if head else keys[1:])
