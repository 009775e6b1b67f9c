"""Damaged files: refused with the package's own error, or what was saved comes back."""

import json
import random
from pathlib import Path

import jax
import numpy as np
import pytest

import neural_compile as nc
from neural_compile.assembly.answers import Stopped, Why
from neural_compile.compiler.files import digest
from neural_compile.experiments.campaigns import campaign
from neural_compile.experiments.induction import How, Induction, Way
from neural_compile.layers.courses import _checked

MAP = nc.parse("loop:\n read 1 2\n inc 2 2\n write 1 2\n inc 1 1\n jump 3 loop")
MACHINE = nc.Machine(base=8, registers=6, lines=5)
MAP_INC = nc.TASKS["map_inc"]


def objects():
    "What people save, small: controllers, one and several, inductions, a layer."
    key = jax.random.key(0)
    noisy = nc.compile_program(MAP, MACHINE, noise=0.3, key=key)
    many = jax.vmap(lambda k: nc.random_controller(MACHINE, key=k))
    answer = nc.Answer(MAP, nc.Clock(5))
    story = dict(answer=answer, verification=answer.verify(MAP_INC))
    how = How(Way.TUNED, "map_inc", 50, 3, template=nc.parse("noop\nhalt"))
    return {
        "controller": noisy,
        "restarts": many(jax.random.split(key, 3)),
        "enumerated": Induction("map_inc", 8, 5, **story),
        "tuned": Induction("map_inc", 8, 5, **story, how=how, controller=noisy),
        "lost": Induction("sort", 11, 5, stopped=Stopped(Why.TIME)),
        "layer": nc.Layer(answer, base=8, read="m0"),
    }


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    "Each object, its file, and the bytes of it."
    folder, known = tmp_path_factory.mktemp("saved"), {}
    for name, x in objects().items():
        path = folder / f"{name}.safetensors"
        nc.save(x, path)
        known[name] = x, path, path.read_bytes()
    return known


def told(x):
    "All that an object says, to be compared."
    if isinstance(x, Induction):
        return json.dumps(x.summary()), told(x.controller)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(x)]
    numbers = [(leaf.shape, str(leaf.dtype), leaf.tobytes()) for leaf in leaves]
    return numbers, repr(jax.tree.structure(x))


def silently_wrong(content, path, want):
    "Whether a file is loaded and gives something else; and whether it was refused."
    path.write_bytes(content)
    try:
        return told(nc.load(path)) != want, False
    except nc.InputError as error:
        assert str(error)
        return False, True


def flip(rng, content):
    at = rng.randrange(len(content))
    content[at] ^= 1 << rng.randrange(8)


def overwrite(rng, content):
    for _ in range(rng.randrange(1, 9)):
        content[rng.randrange(len(content))] = rng.randrange(256)


def cut(rng, content):
    del content[rng.randrange(len(content)) :]


def lose(rng, content):
    at = rng.randrange(len(content))
    del content[at : at + rng.randrange(1, 65)]


def insert(rng, content):
    at = rng.randrange(len(content))
    content[at:at] = rng.randbytes(rng.randrange(1, 65))


def blank(rng, content):
    at = rng.randrange(len(content))
    size = len(content[at : at + 512])
    content[at : at + size] = bytes(size)


def swap(rng, content):
    size = rng.choice([1, 4, 16, 64])
    a, b = (rng.randrange(max(1, len(content) - size)) for _ in range(2))
    one, other = content[a : a + size], content[b : b + size]
    content[a : a + size], content[b : b + size] = other, one


def double(rng, content):
    at = rng.randrange(len(content))
    content += content[at:]


DAMAGE = flip, overwrite, cut, lose, insert, blank, swap, double


def damaged(content, rng):
    "The same with some damage, not always of one kind."
    worse = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if worse:
            rng.choice(DAMAGE)(rng, worse)
    return bytes(worse)


def test_what_is_not_damaged_comes_back(saved):
    for x, path, _ in saved.values():
        assert told(nc.load(path)) == told(x)


def test_a_file_cut_or_flipped_at_every_hundredth_byte_is_refused(saved, tell):
    for x, path, whole in saved.values():
        for at in range(0, len(whole), 100):
            other = path.with_name("hundredth.safetensors")
            turned = whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :]
            for content in (whole[:at], turned):
                assert silently_wrong(content, other, told(x)) == (False, True)
                tell("files cut or flipped at every 100th byte, none of them loaded", 1)


def test_random_damage_is_never_silent(saved, count, tell):
    rng, wrong, refused, tries = random.Random(0), 0, 0, count(600, 10_000)
    wants = {name: told(x) for name, (x, _, _) in saved.items()}
    for _ in range(tries):
        name = rng.choice(list(saved))
        _, path, whole = saved[name]
        other = path.with_name("random.safetensors")
        bad, no = silently_wrong(damaged(whole, rng), other, wants[name])
        wrong, refused = wrong + bad, refused + no
    tell("corruptions of saved objects", tries)
    tell("corruptions of saved objects that were refused", refused)
    tell("corruptions of saved objects that were silently wrong", wrong)
    assert wrong == 0 and refused > 0.9 * tries


def test_what_a_checksum_covers_is_all_that_is_said():
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros(2)}
    same = lambda **change: digest(arrays | change, "{}", "controller")
    known = {
        same(),
        digest(arrays, "{} ", "controller"),
        digest(arrays, "{}", "layer"),
        digest(arrays, "{}", "controller", "1"),
        same(a=arrays["a"].reshape(3, 2)),
        same(a=arrays["a"].view(np.int32)),
        same(a=arrays["b"], b=arrays["a"]),
    }
    assert len(known) == 7


def test_files_of_version_1_still_load(saved):
    from safetensors import safe_open
    from safetensors.numpy import save_file

    for x, path, _ in saved.values():
        with safe_open(path, framework="numpy") as file:
            said = file.metadata()
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        old = digest(arrays, said["header"], said["kind"], "1")
        before = path.with_name("before.safetensors")
        save_file(arrays, before, said | {"neural_compile": "1", "sha256": old})
        assert told(nc.load(before)) == told(x)


def test_the_state_of_a_course_is_never_silently_another(count, tell):
    import hashlib

    state = b'{"step": 50, "staying": [0, 1, 2]}\n' + random.Random(1).randbytes(2000)
    whole = hashlib.sha256(state).hexdigest().encode() + b"\n" + state
    assert _checked(whole).read() == state
    rng, tries = random.Random(2), count(500, 5000)
    for _ in range(tries):
        content = damaged(whole, rng)
        try:
            assert content[:1] != b"{" and _checked(content).read() == state
        except ValueError:
            continue
        assert content == whole
    tell("corruptions of a course's state, none silently wrong", tries)


def measured(settings):
    "Numbers that are all different."
    return {"value": settings["n"] ** 2, "list": [settings["n"]] * 20}


def read_again(entries, folder):
    "The records of a folder, if they are read at all; nothing is measured."
    refused = lambda settings: (_ for _ in ()).throw(LookupError("measured again"))
    return campaign(entries, refused, folder, progress=False)


def test_damaged_records_are_refused_or_right(tmp_path, count, tell):
    entries = {f"n{n}": {"n": n} for n in range(3)}
    first = campaign(entries, measured, tmp_path, progress=False)
    paths = sorted(p for p in Path(tmp_path).glob("n*.json*") if p.is_file())
    assert len(paths) == 3
    rng, wrong, tries = random.Random(3), 0, count(300, 10_000)
    for _ in range(tries):
        path = rng.choice(paths)
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, rng))
        try:
            wrong += read_again(entries, tmp_path) != first
        except (ValueError, LookupError):  # The second: it would be measured again
            pass
        finally:
            path.write_bytes(whole)
    tell("corruptions of records of cells", tries)
    tell("corruptions of records of cells that were silently wrong", wrong)
    assert wrong == 0
