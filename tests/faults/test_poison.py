"""NaN or Inf in one restart of many: the others do not notice, and it is told."""

import random

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import neural_compile as nc
from neural_compile.loss.starts import prepare_start

TASK, KEY = nc.TASKS["map_inc"], jax.random.key(0)
MARK = 1e3  # A weight that says: this restart is to be poisoned
STEPS = 60  # More than one chunk
PLACES = ("weights", "gradients", "optimiser")


def marked(params):
    return params.instruction[0, 0] > MARK / 2


def poisoned(rate, place, value):
    "Adam, into which a value is put where the restart is marked."
    adam = optax.adam(rate)

    def spoil(tree, params):
        float_like = lambda x: jnp.issubdtype(x.dtype, jnp.floating)
        worse = lambda x: jnp.where(marked(params), value, x) if float_like(x) else x
        return jax.tree.map(worse, tree)

    def update(gradients, state, params):
        if place == "gradients":
            gradients = spoil(gradients, params)
        if place == "optimiser":
            state = spoil(state, params)
        return adam.update(gradients, state, params)

    return optax.GradientTransformation(adam.init, update)


def tuned(weights, optimizer=optax.adam):
    training = nc.Training(steps=STEPS, optimizer=optimizer)
    return nc.tune(TASK, weights, training, key=KEY, progress=False)


def begun(restarts):
    return prepare_start("map_inc", TASK).controllers(restarts, KEY)


def with_weight(controllers, k, value):
    "One weight of restart k is another."
    spoiled = controllers.instruction.at[k, 0, 0].set(value)
    return type(controllers)(spoiled, *controllers.weights[1:], controllers.machine)


def others(tuning, k):
    "Everything about all restarts but one, to the bit."
    rest = np.arange(len(tuning.losses)) != k
    arrays = [*tuning.controllers.weights, *tuning.untuned.weights, tuning.losses]
    arrays += [tuning.paper, tuning.accepted, tuning.strict]
    programs = [str(p) for n, p in enumerate(tuning.programs) if n != k]
    return [np.asarray(x)[rest].tobytes() for x in arrays], programs


@pytest.fixture(scope="module")
def clean(count):
    "Restarts before training, and what becomes of them."
    weights = begun(count(6, 100))
    return weights, tuned(weights)


def test_all_is_well_without_poison(clean):
    assert clean[1].finite.all() and "not finite" not in repr(clean[1])


@pytest.mark.parametrize("place", PLACES)
def test_a_poisoned_restart_spoils_no_other(place, clean, count, tell):
    weights, whole = clean
    rng, restarts = random.Random(place), len(whole.losses)
    values = (np.nan, np.inf, -np.inf) if place == "weights" else (np.nan, np.inf)
    if count(1, 0):  # In `make test` each new optimiser would be compiled
        values = values[:1] if place == "weights" else ()
    for value in values:
        optimizer = lambda rate, v=value: poisoned(rate, place, v)
        if place != "weights":  # Another optimiser rounds in another way
            whole = tuned(weights, optimizer)
        for k in [0, restarts - 1, *rng.sample(range(restarts), count(1, 3))]:
            mark = value if place == "weights" else MARK
            spoiled = with_weight(weights, k, mark)
            how = () if place == "weights" else (optimizer,)
            ill = tuned(spoiled, *how)
            assert others(ill, k) == others(whole, k)
            harmless = np.isneginf(value)  # It says: never this instruction
            assert harmless or np.flatnonzero(~ill.finite).tolist() == [k]
            assert harmless or "1 restart ended with a loss or weight" in repr(ill)
            assert not ill.strict[k] or harmless
            tell("restarts poisoned with NaN or Inf", 1)
            tell("restarts beside them, equal bit for bit", restarts - 1)
