"""A Keras model of one's own as a backbone."""

import keras
import numpy as np
import pytest
from keras import layers

import recipes
from recipes import backbones
from tests.recipes.classifiers import cases


def run(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
SMALL = {"width": 16, "depth": 4, "patch_size": 8}
RECIPES = {
    **{
        name: cases.RECIPES[name]
        for name in ("alexnet", "densenet", "efficientnet", "squeezenet", "vgg")
    },
    "cnn": lambda: recipes.cnn((32, 32, 3), num_classes=4),
    "resnet": lambda: recipes.resnet((32, 32, 3), num_classes=4, dropout=0.1),
    "mobilenet": lambda: recipes.mobilenet((32, 32, 3), num_classes=4),
    "convnext": lambda: recipes.convnext((32, 32, 3), 4, widths=(8, 16), depths=(1, 1)),
    "lenet": lambda: recipes.lenet((32, 32, 3), 4, dropout=0.1, task="multilabel"),
    "mlp_mixer": lambda: recipes.mlp_mixer((32, 32, 3), 4, **SMALL),
    "vit": lambda: recipes.vit((32, 32, 3), 4, heads=2, dropout=0.1, **SMALL),
}
POOLINGS = {"mlp_mixer": "mean", **dict.fromkeys(("alexnet", "lenet", "vgg", "vit"), "none")}


def small(side=32, channels=3):
    inputs = keras.Input((side, side, channels), name="mine")
    x = layers.Conv2D(4, 3, 2, name="a")(inputs)
    x = layers.BatchNormalization(name="b")(x)
    left, right = layers.Conv2D(6, 1, name="c")(x), layers.Conv2D(6, 1, name="d")(x)
    x = layers.Add(name="e")([left, right])
    x = layers.Conv2D(8, 3, 2, name="f")(x)
    return inputs, x


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipes_classifier_is_a_backbone_without_its_head(name):
    theirs = RECIPES[name]()
    ours = backbones.get(theirs, scale=1 / 255)
    pixels = np.resize(PIXELS, (2, *theirs.input_shape[1:])).astype("float32")
    assert ours.pooling == POOLINGS.get(name, "average")
    head = "predictions" if ours.pooling == "none" else "pool"
    maps = keras.Model(theirs.input, theirs.get_layer(head).input)
    expected = run(ours.model, pixels)
    np.testing.assert_allclose(expected, run(maps, pixels / 255), rtol=1e-3, atol=1e-4)
    assert "predictions" not in {layer.name for layer in ours.model.layers}
    for index in range(1, len(ours.stages)):
        before = keras.Model(ours.model.input, ours.boundary(index))
        after = keras.Model(ours.boundary(index), ours.model.output)
        np.testing.assert_allclose(run(after, run(before, pixels)), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("depth", "stages"), [(4, 5), (8, 7)])
def test_a_transformer_is_cut_between_whole_blocks(depth, stages):
    ours = backbones.get(recipes.vit((32, 32, 3), 4, heads=2, **{**SMALL, "depth": depth}))
    assert len(ours.stages) == stages
    assert ours.stages[0].output == "pos_embed"
    assert ours.stages[-1].layers[-1] == "pool_of_model"
    blocks = [
        block
        for stage in ours.stages
        for block in sorted({name.split("_")[1] for name in stage.layers if "blocks_" in name})
    ]
    assert blocks == [str(index) for index in range(depth)]  # each in one stage


def test_a_head_without_pooling_is_what_gives_probabilities():
    inputs, x = small()
    x = layers.Dense(5, "relu", name="embedding")(layers.Flatten()(x))
    ends = {
        "embedding": x,
        "dropped": layers.Dense(4, "sigmoid")(layers.Dropout(0.1)(x)),
        "scores": layers.Softmax()(layers.Dense(4)(x)),
        "activated": layers.Activation("softmax")(layers.Dense(4)(x)),
    }
    for end in ends.values():
        ours = backbones.get(keras.Model(inputs, end))
        assert [layer.name for layer in ours.model.layers][-1] == "embedding"
        assert ours.pooling == "none"
    plain = backbones.get(keras.Model(inputs, layers.Dense(4, name="measured")(x)))
    assert plain.model.layers[-1].name == "measured"


def test_a_layer_whose_name_is_needed_has_another():
    inputs, x = small()
    model = keras.Model(inputs, layers.MaxPooling2D(name="pool")(x))
    ours = backbones.get(model)
    assert ours.model.layers[-1].name == "pool_of_model"
    np.testing.assert_array_equal(run(ours.model, PIXELS), run(model, PIXELS))


def test_dense_layers_over_all_places_take_one_size_only():
    with pytest.raises(ValueError, match=r"cannot be made anew for \(40, 40\) pixels") as caught:
        backbones.get(recipes.lenet((32, 32, 3), 4), image_size=40)
    assert "\n" not in str(caught.value)


def test_the_model_that_was_given_stays_as_it_is():
    inputs, x = small()
    theirs = keras.Model(inputs, x)
    before = run(theirs, PIXELS)
    ours = backbones.get(theirs)
    for variable in ours.model.trainable_variables:
        variable.assign(keras.ops.zeros(variable.shape))
    np.testing.assert_array_equal(run(theirs, PIXELS), before)
    initial = backbones.get(theirs, weights=None, seed=5)
    again = backbones.get(theirs, weights=None, seed=5)
    assert np.abs(run(initial.model, PIXELS) - before).max() > 1e-4
    np.testing.assert_array_equal(run(initial.model, PIXELS), run(again.model, PIXELS))


def test_sequential_models_and_other_sizes():
    theirs = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, 2),
            layers.Conv2D(8, 3, 2),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.1),
            layers.Dense(5),
            layers.Softmax(),
        ]
    )
    with pytest.raises(ValueError, match="tells no size"):
        backbones.get(theirs)
    ours = backbones.get(theirs, image_size=48)
    assert ours.model.output.shape == (None, 11, 11, 8)
    assert ours.pooling == "average"


def test_stages_by_the_names_of_layers():
    inputs, x = small()
    ours = backbones.get(keras.Model(inputs, x), stages=["b", "e"])
    assert [stage.output for stage in ours.stages] == ["b", "f"]
    named = [name for stage in ours.stages for name in stage.layers]
    assert set(named) == {operation.name for operation in ours.model.operations[1:]}


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        (["x"], "Unknown layer in stages: 'x'"),
        (["e", "b"], "'b' does not come after"),
        (["c", "e"], "'c' is in a branch"),
    ],
)
def test_stages_that_cannot_be_are_refused(stages, said):
    inputs, x = small()
    with pytest.raises(ValueError, match=said):
        backbones.get(keras.Model(inputs, x), stages=stages)


class _Subclass(keras.Model):
    def call(self, inputs):
        return inputs


def _two_inputs():
    inputs, x = small()
    other = keras.Input((3,))
    return keras.Model(
        [inputs, other], layers.Dense(2)(other) + layers.GlobalMaxPooling2D()(x)[:, :2]
    )


def _two_outputs():
    inputs, x = small()
    return keras.Model(inputs, [x, layers.Conv2D(2, 1)(x)])


def _without_weights():
    inputs = keras.Input((32, 32, 3))
    return keras.Model(inputs, layers.MaxPooling2D()(inputs))


WRONG = {
    "a vector": (lambda: recipes.mlp(4, 3), r"takes \(None, 4\)"),
    "one channel": (lambda: keras.Model(*small(channels=1)), r"takes \(None, 32, 32, 1\)"),
    "two inputs": (_two_inputs, r"takes \(None, 32, 32, 3\), \(None, 3\)"),
    "two outputs": (_two_outputs, "has 2 outputs"),
    "no weights": (_without_weights, "no layers with weights"),
    "a subclass": (_Subclass, "no functional or Sequential model"),
    "not built": (lambda: keras.Sequential([layers.Dense(2)]), "no functional or Sequential"),
    "a number": (lambda: 7, "int is not a name, a folder, a Backbone or a Keras model"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_model_that_cannot_be_one_is_refused_in_one_line(kind):
    make, said = WRONG[kind]
    model = make()
    with pytest.raises(ValueError, match=said) as caught:
        backbones.get(model)
    assert "\n" not in str(caught.value)


def test_a_file_of_weights_is_not_for_an_object(tmp_path):
    (tmp_path / "a.weights.h5").write_bytes(b"")
    inputs, x = small()
    with pytest.raises(ValueError, match="an object has its own"):
        backbones.get(keras.Model(inputs, x), weights=tmp_path / "a.weights.h5")
    with pytest.raises(ValueError, match="stages: they are named for a model of your own"):
        backbones.get("efficientnet_lite0", weights=None, stages=["stem"])
    with pytest.raises(ValueError, match="scale: it is for presets"):
        backbones.get("efficientnet_lite0", weights=None, scale=2)
