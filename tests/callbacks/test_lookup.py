"""Names to objects: what is allowed, and what was meant."""

import subprocess
import sys

import pytest

from callbacks.lookup import find

TABLE = {"cosine_decay": 1, "step_lr": 2}
ALL = r"Allowed: cosine_decay, step_lr\.$"


@pytest.mark.parametrize("name", ["cosine-decay", "Cosine_Decay", "cosine_decya"])
def test_a_name_that_is_not_allowed_is_answered_with_the_nearest_and_with_all(name):
    answer = rf"^Unknown scheme: '{name}'\. Did you mean 'cosine_decay'\? {ALL}"
    with pytest.raises(ValueError, match=answer):
        find(name, TABLE, what="scheme")


@pytest.mark.parametrize("name", [None, 3, ["x"], "x"])
def test_what_resembles_no_name_is_answered_with_all(name):
    with pytest.raises(ValueError, match=rf"^Unknown scheme: [^.]*\. {ALL}"):
        find(name, TABLE, what="scheme")


def test_names_need_the_standard_library_only():
    code = (
        "import sys, callbacks\n"
        "assert callbacks.names() and callbacks.lookup.find\n"
        "assert not {'keras', 'tensorflow', 'numpy', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_of_very_many_names_those_that_are_like_it_are_listed():
    table = {f"model_{number}": number for number in range(300)}
    with pytest.raises(
        ValueError, match=r"Allowed are 300, among them (model_\d+, ){7}model_\d+\.$"
    ):
        find("model_x", table, what="model")
