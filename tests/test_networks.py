"""Networks without a program: their parts do as the papers say, and they learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neural_compile as nc
from neural_compile.experiments import arena as module
from neural_compile.experiments import memories
from neural_compile.experiments.arena import RIVALS, asked_sizes, meet, shares
from neural_compile.experiments.networks import BODIES, features, network
from neural_compile.experiments.rivals import Limits, Offer, fits
from neural_compile.experiments.trained import (
    CHUNK,
    NETWORKS,
    Lessons,
    learn,
    steps_for,
    table,
)

KEYS = jax.random.split(jax.random.key(0), 20)
SLOTS = 7


def weights(key):
    "Weights over slots, that sum to 1."
    return jax.nn.softmax(2 * jax.random.normal(key, (SLOTS,)))


@pytest.mark.parametrize("n", range(5))
def test_the_steps_of_addressing_keep_weights(n):
    a, b, c, d = jax.random.split(KEYS[n], 4)
    memory = jax.random.normal(a, (SLOTS, 4))
    wish = memories.Wish(jax.random.normal(b, (4,)), 3 * jax.random.normal(c, (6,)))
    found = wish.weights(memory, weights(d))
    np.testing.assert_allclose(found.sum(), 1, atol=1e-5)
    assert (found >= 0).all()


def test_a_key_that_is_in_memory_is_found_there():
    memory = jax.random.normal(KEYS[0], (SLOTS, 8))
    found = memories.by_content(memory, 3 * memory[4], jnp.array(50.0))
    assert found.argmax() == 4 and found[4] > 0.99


@pytest.mark.parametrize("by", [-1, 0, 1])
@pytest.mark.parametrize("slot", [0, 3, SLOTS - 1])
def test_a_shift_of_a_sharp_head_is_exact(slot, by):
    there = memories.shifted(jnp.eye(SLOTS)[slot], jnp.eye(3)[by + 1])
    np.testing.assert_array_equal(there, jnp.eye(SLOTS)[(slot + by) % SLOTS])


def test_a_shift_is_the_convolution_of_the_paper():
    w, s = weights(KEYS[0]), jnp.array([0.2, 0.5, 0.3])
    slow = [
        sum(float(w[j] * s[(i - j + 1) % SLOTS]) for j in range(SLOTS)
            if (i - j + 1) % SLOTS < 3)
        for i in range(SLOTS)
    ]
    np.testing.assert_allclose(memories.shifted(w, s), slow, atol=1e-6)


def test_sharpening_sharpens():
    w = weights(KEYS[1])
    np.testing.assert_allclose(memories.sharpened(w, jnp.array(1.0)), w, atol=1e-6)
    assert memories.sharpened(w, jnp.array(4.0)).max() > w.max()


def slow_allocation(used):
    "As the paper has it: sorted, and multiplied one after the other."
    order, found, product = np.argsort(used, kind="stable"), np.zeros(len(used)), 1.0
    for slot in order:
        found[slot] = (1 - used[slot]) * product
        product *= used[slot]
    return found


@pytest.mark.parametrize("n", range(10))
def test_allocation_is_that_of_the_sorted_list(n):
    used = np.asarray(jax.random.uniform(KEYS[n], (SLOTS,)))
    used = np.round(used, 1) if n % 2 else used  # With ties
    found = memories.allocation(jnp.asarray(used))
    np.testing.assert_allclose(found, slow_allocation(used), atol=1e-6)
    assert found.sum() <= 1 + 1e-5


def test_usage_is_freed_where_it_was_read():
    used, writes = jnp.array([0.5, 0.5, 0.0]), jnp.array([0.0, 0.0, 1.0])
    reads = jnp.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    after = memories.usage(used, writes, reads, jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(after, [0.0, 0.5, 1.0])


@pytest.mark.parametrize("n", range(4))
def test_links_follow_the_order_of_writes(n):
    order = jax.random.permutation(KEYS[n], SLOTS).tolist()
    links, last = jnp.zeros((SLOTS, SLOTS)), jnp.zeros(SLOTS)
    for slot in order:
        links, last = memories.linked(links, last, jnp.eye(SLOTS)[slot])
    wanted = np.zeros((SLOTS, SLOTS))
    wanted[order[1:], order[:-1]] = 1
    np.testing.assert_array_equal(links, wanted)
    np.testing.assert_array_equal(last, np.eye(SLOTS)[order[-1]])


def test_links_of_blurred_writes_are_shares():
    links, last = jnp.zeros((SLOTS, SLOTS)), jnp.zeros(SLOTS)
    for key in KEYS:
        links, last = memories.linked(links, last, 0.9 * weights(key))
        assert (links >= -1e-6).all() and (jnp.diag(links) == 0).all()
        assert (links.sum(0) <= 1 + 1e-5).all() and (links.sum(1) <= 1 + 1e-5).all()


@pytest.mark.parametrize("cell", [memories.NTM, memories.DNC])
def test_weights_stay_weights_over_many_steps(cell):
    one = cell(5, 16, key=KEYS[0])
    rows = 3 * jax.random.normal(KEYS[1], (60, 5))
    state, outputs = jax.lax.scan(lambda s, row: one(s, row), one.start(), rows)
    assert jnp.isfinite(outputs).all()
    for heads in (state.writes, state.reads):
        assert (heads >= 0).all() and (heads.sum(-1) <= 1 + 1e-4).all()


def test_values_are_told_apart_in_any_base():
    for base in (2, 8, 25):
        shown = np.asarray(features(jnp.arange(base), base, 25))
        assert len({tuple(row) for row in shown}) == base


@pytest.mark.parametrize("kind", BODIES)
def test_networks_answer_at_any_size(kind):
    net = network(kind, 12, 1, key=KEYS[0])
    for base in (3, 12):
        found = net(jnp.arange(base), jnp.ones(1, int), 2)
        assert found.shape == (base, base) and jnp.isfinite(found).all()


def test_a_table_has_every_number_of_cells_and_what_is_given():
    task = nc.TASKS["map_parity"]
    rows = table(task, task.given, 4, seed=0)
    assert rows["cells"].tolist() == [n for n in range(1, 6) for _ in range(4)]
    assert rows["registers"].shape == (20, 1)
    assert len(set(rows["registers"][:, 0].tolist())) > 1  # Parameters are drawn


def test_steps_follow_from_units():
    task, lessons = nc.TASKS["map_inc"], Lessons()
    for kind in BODIES:
        assert steps_for(0.5, kind, task, lessons) == 0
        few, many = (steps_for(u, kind, task, lessons) for u in (15, 30))
        assert 0 < few < many <= lessons.most and many % CHUNK == 0
    assert NETWORKS["gru"](task, Limits(units=0.5)) == Offer(None, "", 0.0)


@pytest.fixture(scope="module")
def learned():
    return learn("gru", nc.TASKS["inc"], Limits(units=11, seconds=500))[0]


def test_a_network_learns_to_add_one(learned):
    task = nc.TASKS["inc"]
    assert fits(learned, task.sample(500, seed=9)).mean() > 0.95
    found = shares(learned, task)
    assert set(found) == set(asked_sizes(task)) == {"same", "larger", "test"}
    assert found["same"] > 0.95 and found["test"] < 0.5
    assert not learned.verify(task)


def test_a_key_repeats_a_network_and_another_does_not(learned):
    task, limits = nc.TASKS["inc"], Limits(units=9, seconds=500)
    (once, losses), (twice, same) = (learn("gru", task, limits) for _ in range(2))
    assert losses == same
    other = learn("gru", task, limits._replace(key=1))[1]
    assert losses != other


class Knows:
    "Predicts what is wanted."

    def predict(self, given):
        return given.target

    def verify(self, task):
        return True


def test_the_arena_compares_predictions_as_it_does_programs(monkeypatch):
    monkeypatch.setitem(RIVALS, "knows", lambda task, limits: Offer(Knows(), "", 0.0))
    named = dict(suite="paper", task="map_inc", rival="knows")
    result = meet({**Limits()._asdict(), **named})
    assert result["strict"] and result["answer"] == {"kind": "Knows"}
    assert result["shares"] == dict.fromkeys(("same", "longer", "larger", "test"), 1.0)
    program = nc.template("map_inc").answer
    assert shares(program, nc.TASKS["map_inc"]) == result["shares"]
    assert set(shares(None, nc.TASKS["map_inc"]).values()) == {0.0}
    assert module.NETWORKS.items() <= RIVALS.items()
