"""Other ways to learn from lists of pictures and their answers, for comparison.

All have the same network in front, an MLP from 64 pixels over 64 units, and Adam. The
first three know nothing of programs; `marginal` is given the program and sums over all
that the digits might be, exactly; `singles` learns digits from lists of one, whose
answers name them, and looks for the program afterwards.
"""

import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

WIDTH, LONGEST, DIGITS = 64, 16, 10
CHUNK, BATCH, RATE = 50, 64, 1e-3


def encoder(key, out=WIDTH):
    """The network in front of all."""
    return eqx.nn.MLP(64, out, 64, 1, key=key)


class Concatenated(eqx.Module):
    """All pictures at once, a list padded to sixteen."""

    see: eqx.nn.MLP
    head: eqx.nn.MLP

    def __init__(self, key):
        see, head = jax.random.split(key)
        self.see = encoder(see, 16)
        self.head = eqx.nn.MLP(16 * LONGEST, DIGITS, 256, 2, key=head)

    def __call__(self, pictures, length):
        seen = jax.vmap(self.see)(pictures)
        used = jnp.arange(len(seen))[:, None] < length
        padded = jnp.where(used, seen, 0)
        padded = jnp.pad(padded, ((0, LONGEST - len(seen)), (0, 0)))
        return self.head(padded.ravel())


class Recurrent(eqx.Module):
    """A GRU over the pictures."""

    see: eqx.nn.MLP
    cell: eqx.nn.GRUCell
    head: eqx.nn.Linear

    def __init__(self, key):
        see, cell, head = jax.random.split(key, 3)
        self.see = encoder(see)
        self.cell = eqx.nn.GRUCell(WIDTH, WIDTH, key=cell)
        self.head = eqx.nn.Linear(WIDTH, DIGITS, key=head)

    def __call__(self, pictures, length):
        def step(state, x):
            seen, at = x
            after = self.cell(seen, state)
            return jnp.where(at < length, after, state), None

        seen = jax.vmap(self.see)(pictures), jnp.arange(len(pictures))
        state, _ = jax.lax.scan(step, jnp.zeros(WIDTH), seen)
        return self.head(state)


class Block(eqx.Module):
    """Attention and a layer of units, each with what it was given added."""

    attend: eqx.nn.MultiheadAttention
    units: eqx.nn.MLP
    norms: tuple

    def __init__(self, key):
        attend, units = jax.random.split(key)
        self.attend = eqx.nn.MultiheadAttention(4, WIDTH, key=attend)
        self.units = eqx.nn.MLP(WIDTH, WIDTH, 2 * WIDTH, 1, key=units)
        self.norms = eqx.nn.LayerNorm(WIDTH), eqx.nn.LayerNorm(WIDTH)

    def __call__(self, x, mask):
        y = jax.vmap(self.norms[0])(x)
        x = x + self.attend(y, y, y, mask=mask)
        return x + jax.vmap(lambda v: self.units(self.norms[1](v)))(x)


class Transformer(eqx.Module):
    """Two blocks of attention, positions as sines, the mean read out."""

    see: eqx.nn.MLP
    blocks: list
    head: eqx.nn.Linear

    def __init__(self, key):
        see, head, *keys = jax.random.split(key, 4)
        self.see, self.blocks = encoder(see), [Block(k) for k in keys]
        self.head = eqx.nn.Linear(WIDTH, DIGITS, key=head)

    def __call__(self, pictures, length):
        at = jnp.arange(len(pictures))
        waves = at[:, None] / 100.0 ** (jnp.arange(WIDTH // 2) / (WIDTH // 2))
        x = jax.vmap(self.see)(pictures)
        x = x + jnp.concatenate([jnp.sin(waves), jnp.cos(waves)], axis=1)
        used = at < length
        for block in self.blocks:
            x = block(x, jnp.broadcast_to(used, (len(at), len(at))))
        return self.head(jnp.where(used[:, None], x, 0).sum(0) / length)


class Marginal(eqx.Module):
    """The program is known: a table from what there is so far and a digit to more."""

    see: eqx.nn.MLP
    table: np.ndarray = eqx.field(static=True)  # [so far, digit]

    def __init__(self, key, table):
        self.see, self.table = encoder(key, DIGITS), table

    def __call__(self, pictures, length):
        onto = jax.nn.one_hot(self.table.array, DIGITS)

        def step(so_far, x):
            p, at = x
            after = jnp.einsum("s,d,sda->a", so_far, p, onto)
            return jnp.where(at < length, after, so_far), None

        p = jax.nn.softmax(jax.vmap(self.see)(pictures))
        begin = jax.nn.one_hot(0, DIGITS)
        so_far, _ = jax.lax.scan(step, begin, (p, jnp.arange(len(p))))
        return jnp.log(so_far + 1e-6)


class Table:
    """An array that a module may hold as a constant."""

    def __init__(self, array):
        self.array = np.asarray(array)

    def __hash__(self):
        return hash(self.array.tobytes())

    def __eq__(self, other):
        return (self.array == other.array).all()


RIVALS = {
    "concatenated": Concatenated,
    "gru": Recurrent,
    "transformer": Transformer,
}


def make_rival(name, so_far, key):
    """A rival from random weights; `so_far` is what a fold does with a value more."""
    if name != "marginal":
        return RIVALS[name](key)
    rows = [[so_far(a, d) for d in range(DIGITS)] for a in range(DIGITS)]
    return Marginal(key, Table(rows))


def _loss(model, pictures, lengths, answers):
    logits = jax.vmap(model)(pictures, lengths)
    picked = jnp.take_along_axis(jax.nn.log_softmax(logits), answers[:, None], 1)
    return -picked.mean()


@eqx.filter_jit
def _chunk(model, moments, arrays, key):
    moving, still = eqx.partition(model, eqx.is_array)

    def step(carry, key):
        moving, moments = carry
        rows = jax.random.randint(key, (BATCH,), 0, len(arrays[1]))
        loss = lambda m: _loss(eqx.combine(m, still), *(x[rows] for x in arrays))
        slopes = jax.grad(loss)(moving)
        updates, moments = optax.adam(RATE).update(slopes, moments)
        return (optax.apply_updates(moving, updates), moments), None

    keys = jax.random.split(key, CHUNK)
    (moving, moments), _ = jax.lax.scan(step, (moving, moments), keys)
    return eqx.combine(moving, still), moments


def train_rival(model, lists, seconds, key):
    """A rival after so many seconds of training, compilation not counted.

    Every tenth list is kept from it, and the model that was right most often about
    these, asked twenty times, is returned: longer training learns lists by heart.
    """
    kept = np.arange(len(lists)) % 10 == 0
    arrays, held = _arrays(lists[~kept]), lists[kept]
    moments = optax.adam(RATE).init(eqx.filter(model, eqx.is_array))
    jax.block_until_ready(_chunk(model, moments, arrays, key)[1])
    steps, taken, best, score = 0, 0, model, -1.0
    for _ in range(20):
        end = time.monotonic() + seconds / 20
        while time.monotonic() < end:
            key, own = jax.random.split(key)
            model, moments = _chunk(model, moments, arrays, own)
            jax.block_until_ready(moments)
            steps += CHUNK
        now = share_right(model, held)
        if now > score:
            best, score, taken = model, now, steps
    return best, taken


def _arrays(lists):
    return tuple(map(jnp.asarray, (lists.pictures, lists.lengths, lists.answers)))


def share_right(model, lists):
    """The share of lists that a rival gets right."""
    said = says(model, lists.pictures, lists.lengths)
    return float((np.asarray(said) == lists.answers).mean())


@eqx.filter_jit
def says(model, pictures, lengths):
    """The likeliest answers, [lists]."""
    return jax.vmap(model)(pictures, lengths).argmax(-1)
