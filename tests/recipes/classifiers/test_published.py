"""Every family in its published size has as many trainable parameters as was published."""

import ast
import re
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from keras.src.backend.common import global_state

import recipes
from recipes.classifiers import registry
from tests.recipes.classifiers.cases import count

# torchvision's and timm's counts at 224 × 224 × 3 and 1,000 classes; MobileNet v1 is that of
# keras.applications, AlexNet the paper's two halves (Caffe's model).
IMAGENET = [
    ("alexnet", {}, 60_965_224),
    ("alexnet", {"widths": (64, 192, 384, 256, 256), "groups": 1}, 61_100_840),
    ("vgg", {"depth": 11}, 132_863_336),
    ("vgg", {"depth": 13}, 133_047_848),
    ("vgg", {"depth": 16}, 138_357_544),
    ("vgg", {"depth": 19}, 143_667_240),
    ("resnet", {"depth": 18}, 11_689_512),
    ("resnet", {"depth": 34}, 21_797_672),
    ("resnet", {"depth": 50}, 25_557_032),
    ("resnet", {"depth": 101}, 44_549_160),
    ("resnet", {"depth": 152}, 60_192_808),
    ("resnet", {"depth": 50, "groups": 32, "group_width": 4}, 25_028_904),
    ("resnet", {"depth": 101, "groups": 32, "group_width": 8}, 88_791_336),
    ("resnet", {"depth": 50, "width_factor": 2}, 68_883_240),
    ("resnet", {"depth": 101, "width_factor": 2}, 126_886_696),
    ("resnet", {"depth": 50, "squeeze_excitation": 16}, 28_088_024),
    ("densenet", {"depth": 121}, 7_978_856),
    ("densenet", {"depth": 161}, 28_681_000),
    ("densenet", {"depth": 169}, 14_149_480),
    ("densenet", {"depth": 201}, 20_013_928),
    ("mobilenet", {"version": 1}, 4_231_976),
    ("mobilenet", {}, 3_504_872),
    ("mobilenet", {"version": 3}, 5_483_032),
    ("mobilenet", {"version": 3, "size": "small"}, 2_542_856),
    ("efficientnet", {}, 5_288_548),
    ("efficientnet", {"size": "b1"}, 7_794_184),
    ("efficientnet", {"size": "b2"}, 9_109_994),
    ("efficientnet", {"size": "b3"}, 12_233_232),
    ("efficientnet", {"size": "b4"}, 19_341_616),
    ("efficientnet", {"size": "b5"}, 30_389_784),
    ("efficientnet", {"size": "b6"}, 43_040_704),
    ("efficientnet", {"size": "b7"}, 66_347_960),
    ("squeezenet", {}, 1_235_496),
    ("convnext", {"size": "tiny"}, 28_589_128),
    ("convnext", {"size": "small"}, 50_223_688),
    ("convnext", {"size": "base"}, 88_591_464),
    ("convnext", {"size": "large"}, 197_767_336),
    ("vit", {"size": "tiny"}, 5_717_416),
    ("vit", {"size": "small"}, 22_050_664),
    ("vit", {"size": "base"}, 86_567_656),
    ("vit", {"size": "base", "patch_size": 32}, 88_224_232),
    ("vit", {"size": "large"}, 304_326_632),
    ("mlp_mixer", {"size": "base"}, 59_880_472),
    ("mlp_mixer", {"size": "large"}, 208_196_168),
]
CIFAR = [
    ("resnet", {"depth": 20}, 272_474),
    ("resnet", {"depth": 110}, 1_730_714),
]


@pytest.fixture
def unallocated():
    """Models are built without memory for their weights."""
    with keras.StatelessScope(initialize_variables=False):
        yield
    global_state.set_global_attribute("uninitialized_variables", [])


@pytest.mark.usefixtures("unallocated")
@pytest.mark.parametrize(("name", "size", "published"), IMAGENET)
def test_parameters_are_as_many_as_published(name, size, published):
    assert count(getattr(recipes, name)((224, 224, 3), 1000, **size)) == published


@pytest.mark.usefixtures("unallocated")
@pytest.mark.parametrize(("name", "size", "published"), CIFAR)
def test_parameters_for_small_pictures(name, size, published):
    """The paper's 0.27 and 1.7 million, and what projections as shortcuts add."""
    assert count(getattr(recipes, name)((32, 32, 3), 10, **size)) == published


i = np.int64
NUMPYS = {
    "vgg": lambda: recipes.vgg(
        (8, 8, 3), 3, depth=np.array([1, 1]), widths=np.array([4, 8]), units=np.array([4])
    ),
    "densenet": lambda: recipes.densenet((8, 8, 3), 3, depth=np.array([1, 1]), growth=i(4)),
    "efficientnet": lambda: recipes.efficientnet(
        (8, 8, 3), 3, width=np.float32(0.1), stages=np.array([[1, 3, 1, 8, 1]])
    ),
    "alexnet": lambda: recipes.alexnet(
        (63, 63, 3), 3, widths=np.full(5, 8), units=np.array([4]), groups=i(2)
    ),
    "resnet": lambda: recipes.resnet(
        *((8, 8, 3), 3),
        **{"depth": np.array([1]), "width": i(8), "bottleneck": np.True_, "groups": i(2)},
        **{"zero_init_last": np.True_, "squeeze_excitation": i(4), "width_factor": np.float32(2)},
    ),
    "convnext": lambda: recipes.convnext(
        (8, 8, 3), 3, widths=np.array([8]), depths=np.array([1]), patch_size=i(2)
    ),
    "vit": lambda: recipes.vit(
        (8, 8, 3), 3, patch_size=i(4), width=i(8), depth=i(1), heads=i(2), drop_path=np.float32(0)
    ),
    "cnn1d": lambda: recipes.cnn1d((8, 2), 3, widths=np.array([4]), depth=i(1), kernel_size=i(3)),
    "mlp": lambda: recipes.mlp(np.array(8), i(3), units=np.array([4]), dropout=np.float64(0.1)),
}


@pytest.mark.parametrize("name", NUMPYS)
def test_numbers_of_numpys_become_pythons(name):
    """Whatever Keras does with them: a configuration has plain numbers alone."""
    model = NUMPYS[name]()
    assert model.output_shape == (None, 3)
    found = keras.tree.flatten([layer.get_config() for layer in model.layers])
    assert not [value for value in found if isinstance(value, np.generic | np.ndarray)]


def test_sizes_may_be_written_as_in_the_papers():
    size = {"width": 0.1, "depth": 0.1}
    big, small = (recipes.efficientnet((32, 32, 3), 3, size=one, **size) for one in ("B0", "b0"))
    assert count(big) == count(small)
    size = {"widths": (8,), "depths": (1,)}
    assert recipes.convnext((32, 32, 3), 3, size="Tiny", **size).output_shape == (None, 3)


def test_every_published_family_is_counted():
    plain = {"mlp", "cnn", "cnn1d", "lenet"}
    assert {name for name, _, _ in IMAGENET} == set(registry.names()) - plain


ANY_SIZE = {
    "resnet": {"depth": (1, 1, 1), "width": 8, "stem": "small"},
    "densenet": {"depth": (1, 1), "growth": 8, "stem": "small"},
    "mobilenet": {"width": 0.25, "stem": "small"},
    "efficientnet": {"width": 0.25, "depth": 0.3, "stem": "small"},
    "squeezenet": {"width": 0.25},
    "convnext": {"widths": (8, 16), "depths": (1, 1)},
    "cnn": {"widths": (8, 16), "depth": 1},
}


@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("name", ANY_SIZE)
def test_pictures_of_any_size_and_channels(name, channels):
    """One model for two sizes answers as models of these sizes with its weights."""
    build = partial(getattr(recipes, name), num_classes=3, seed=0, **ANY_SIZE[name])
    model = build((None, None, channels))
    for side in (32, 45):
        one = build((side, side + 4, channels))
        one.set_weights(model.get_weights())
        x = keras.random.uniform((2, side, side + 4, channels), 0, 255, seed=1)
        found, expected = (keras.ops.convert_to_numpy(m(x, training=False)) for m in (model, one))
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ["lenet", "alexnet", "vgg", "vit", "mlp_mixer"])
def test_a_size_that_must_be_known_is_asked_for(name):
    with pytest.raises(ValueError, match=r"input_shape: .*of a fixed size"):
        getattr(recipes, name)((None, None, 3), 10)


def test_the_documents_table_is_of_these_counts():
    text = (Path(__file__).parents[3] / "docs" / "recipes.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+\(.*\))` \| ([\d,]+) \|", text, re.MULTILINE)
    told = []
    for call, number in rows:
        node = ast.parse(call, mode="eval").body
        size = {one.arg: ast.literal_eval(one.value) for one in node.keywords}
        told.append((node.func.id, size, int(number.replace(",", ""))))
    assert len(told) > 30
    assert [row for row in told if row not in IMAGENET] == []
