"""Hyperparameters of a SAAS process, drawn by NUTS in a function that is compiled once.

BoTorch's own fit compiles anew for every data set, which takes longer than to draw, and a thousand
memory maps of the 65,530 that Linux allows a process. Here the data are arguments, padded to sizes
that recur. Needs jax and numpyro.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
from botorch.models.fully_bayesian import SaasPyroModel
from numpy.typing import NDArray
from numpyro.distributions import MultivariateNormal
from numpyro.infer import MCMC, NUTS

SIZE = 32
"""Numbers of rows are rounded up to a multiple of it."""


class PaddedSaas(SaasPyroModel):
    """BoTorch's model of the rows where `real` is 1; of the others nothing is learnt."""

    def __init__(self, inputs: jax.Array, outputs: jax.Array, real: jax.Array) -> None:
        super().__init__()
        self.train_X_jax, self.train_Y_jax, self.train_Yvar_jax = inputs, outputs, None
        self.ard_num_dims = inputs.shape[-1]
        self.real = real

    def sample_observations(
        self, mean: jax.Array, K_noiseless: jax.Array, noise: jax.Array
    ) -> None:
        """The likelihood of the outputs, n x 1; one that pads is standard normal by itself."""
        covariance = (K_noiseless + noise * jnp.eye(len(self.real))) * jnp.outer(
            self.real, self.real
        )
        numpyro.sample(
            "Y",
            MultivariateNormal(mean * self.real, covariance + jnp.diag(1 - self.real)),
            obs=self.train_Y_jax[:, 0],
        )


def padded(rows: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[jax.Array, ...]:
    """Inputs, outputs as a column and which are real, of a recurring number of rows."""
    padding = -len(rows) % SIZE
    return (
        jnp.asarray(np.pad(rows, ((0, padding), (0, 0)))),
        jnp.asarray(np.pad(values, (0, padding))[:, None]),
        jnp.asarray(np.pad(np.ones(len(rows)), (0, padding))),
    )


def draw(
    rows: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    warm_up: int,
    samples: int,
    depth: int,
) -> dict[str, jax.Array]:
    """Samples of the posterior by name, as BoTorch's model loads them.

    Args:
        rows: inputs in the unit cube, n x d.
        values: standardised outputs, n.
        warm_up: steps before the first sample.
        samples: steps that are kept.
        depth: largest of NUTS's trees.

    Raises:
        RuntimeError: a sample is not finite.
    """
    found: dict[str, jax.Array] = _compiled(
        *padded(rows, values), warm_up=warm_up, samples=samples, depth=depth
    )
    if not all(np.isfinite(value).all() for value in found.values()):
        raise RuntimeError("NUTS gave a sample that is not finite")
    return found


@partial(jax.jit, static_argnames=("warm_up", "samples", "depth"))
def _compiled(
    rows: jax.Array,
    values: jax.Array,
    real: jax.Array,
    *,
    warm_up: int,
    samples: int,
    depth: int,
) -> dict[str, jax.Array]:
    def model() -> None:
        PaddedSaas(rows, values, real).sample()

    kernel = NUTS(model, dense_mass=True, max_tree_depth=depth)
    chain = MCMC(kernel, num_warmup=warm_up, num_samples=samples, progress_bar=False)
    chain.run(jax.random.PRNGKey(0))
    found: dict[str, jax.Array] = chain.get_samples()
    return found
