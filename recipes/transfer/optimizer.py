"""Adam with a learning rate of its own for each stage."""

import keras

from recipes.saving import PACKAGE
from recipes.settings import MIXED_FLOAT16


@keras.saving.register_keras_serializable(PACKAGE)
class StagewiseAdam(keras.optimizers.Adam):
    """Adam whose rate is multiplied, variable by variable, by a constant factor.

    One optimizer with one `learning_rate` that any decay callback can lead, and a configuration
    that saves and loads, where a list of optimizers would not load again.

    Args:
        learning_rate: the rate where the factor is 1.
        rate_factors: variable path to factor; a variable that is not named has factor 1.

    Source:
        Discriminative fine-tuning, arXiv 1801.06146.

    Example:
        >>> optimizer = StagewiseAdam(0.1, rate_factors={"slow": 0.0})
        >>> variables = [keras.Variable([1.0], name="slow"), keras.Variable([1.0], name="fast")]
        >>> optimizer.apply([keras.ops.ones(1), keras.ops.ones(1)], variables)
        >>> [round(float(variable[0]), 3) for variable in variables]
        [1.0, 0.9]
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        rate_factors: dict[str, float] | None = None,
        name: str = "stagewise_adam",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.rate_factors = dict(rate_factors or {})

    def build(self, var_list):
        """Make the slots, and look each variable's factor up once."""
        super().build(var_list)
        self._factors = [self.rate_factors.get(variable.path, 1.0) for variable in var_list]

    def update_step(self, gradient, variable, learning_rate):
        """Adam's step at the variable's own rate."""
        factor = self._factors[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate * factor)

    def get_config(self):
        """The configuration of Adam and the factors."""
        return {**super().get_config(), "rate_factors": self.rate_factors}


def scaled(optimizer: keras.optimizers.Optimizer, policy: str) -> keras.optimizers.Optimizer:
    """The optimizer that a model of a dtype policy needs: float16 would lose small gradients.

    Args:
        optimizer: any.
        policy: its name.

    Source:
        Mixed precision training, arXiv 1710.03740, section 3.2.

    Example:
        >>> scaled(StagewiseAdam(0.1), "mixed_bfloat16").name
        'stagewise_adam'
    """
    if policy != MIXED_FLOAT16:
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)
