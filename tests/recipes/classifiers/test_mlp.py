import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import train_test_split

import recipes

BAD = [
    (lambda: recipes.mlp(4, 3, norm_position="preactivation"), "norm_position", "after"),
    (lambda: recipes.mlp(4, 3, units=(0,)), "units", "0"),
    (lambda: recipes.mlp(4, 3, units=(2.5,)), "units", "2.5"),
    (lambda: recipes.mlp(4, 3, units=8), "units", "several"),
    (lambda: recipes.mlp((None, None, 3), 3), "input_shape", "None is not a whole number"),
    (lambda: recipes.mlp((), 3), "input_shape", "no side"),
    (lambda: recipes.mlp("abc", 3), "input_shape", "abc"),
    (lambda: recipes.mlp(0, 3), "input_shape", "0"),
    (lambda: recipes.mlp(4, 3, scaling="standrad"), "scaling", "standard"),
]


@pytest.mark.parametrize(("call", "culprit", "text"), BAD)
def test_bad_input_is_one_error_that_names_the_argument(call, culprit, text):
    with pytest.raises(ValueError, match=culprit) as caught:
        call()
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("load", "task"), [(load_wine, "multiclass"), (load_breast_cancer, "binary")]
)
def test_tables_of_numbers_are_learned(load, task):
    table = load(as_frame=True).frame
    train, test = train_test_split(table, test_size=0.3, random_state=0, stratify=table["target"])
    features = [name for name in table.columns if name != "target"]
    scaled = recipes.scaling.get("standard", data=train[features])
    num_classes = table["target"].nunique() if task == "multiclass" else 1
    model = recipes.mlp(len(features), num_classes, task=task, scaling=scaled, seed=0)
    recipes.compile_classifier(model, learning_rate=3e-3)
    model.fit(train[features], train["target"], epochs=25, batch_size=16, verbose=0)
    assert (
        model.evaluate(test[features], test["target"], verbose=0, return_dict=True)["accuracy"]
        > 0.93
    )
    assert isinstance(train, pd.DataFrame)
