"""Measure whether walks gain by a learned prior of instructions.

`python tools/measure_prior.py` writes a file an entry into cells/prior and all of them
into results/prior.json; it can be stopped and started again. Work is counted in units,
not seconds. The share of changes that is drawn from a prior is chosen on recurrences
for development; the other suites are asked with that share only, about tasks that have
a known answer. Beside the learned prior walk three others: none, the mean of all
training programs, and the instructions of a known answer, which is the most that any
prior could tell.
"""

from pathlib import Path

import numpy as np

from neural_compile.assembly.parsing import parse
from neural_compile.assembly.suites import suites
from neural_compile.experiments.campaigns import campaign, read_json, write_json
from neural_compile.loss.decoding import Walk
from neural_compile.synthesis.prior import (
    average,
    behaviours,
    guesses,
    quality,
    telling,
    train,
    unlike,
)
from neural_compile.synthesis.spaces import synthesize
from neural_compile.synthesis.walks import Walks

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS, STEPS = 40_000, 3000  # Random programs, and training steps
SHARES = (0.5, 0.8)  # Of changed lines, drawn from a prior
WAYS = ("none", "mean", "learned", "oracle")
ASKED = {  # Suite: keys, and units for a task
    "recurrences": (2, 3.0),  # For development
    "recurrences-test": (5, 10.0),
    "paper": (5, 3.0),
    "interpreters": (1, 1.0),
}


def trained(settings):
    """What the network guesses for each task, and how good it is on other programs."""
    found = behaviours(settings["programs"], seed=0)
    every = [task for tasks in suites.values() for task in tasks.values()]
    kept = unlike(found, every)
    new = np.arange(len(kept.codes)) % 10 == 0  # Not trained on
    network = train(kept.those(~new), settings["steps"])
    chances = {
        suite: {name: guesses(network, t).tolist() for name, t in suites[suite].items()}
        for suite in ASKED
    }
    return {
        "tried": found.tried,
        "different": len(found.codes),
        "kept": len(kept.codes),
        "quality": quality(network, kept.those(new), kept.those(~new)),
        "mean": average(kept.those(~new))(every[0]).tolist(),
        "chances": chances,
    }


def answered(settings):
    """A program for each task of a suite, as text, or None."""
    texts = {}
    for name, task in suites[settings["suite"]].items():
        how = dict(space="all", units=settings["units"], progress=False)
        found = synthesize(task, **how).solutions
        right = [c.answer for c in found if c.answer.verify(task)]
        texts[name] = str(right[0].simplify(task).program) if right else None
    return texts


def walked(settings):
    """For each task: units spent, whether a program was accepted, and verified."""
    ends = {}
    for name, chances in settings["chances"].items():
        task, how = suites[settings["suite"]][name], {}
        if chances is not None:
            prior = lambda task, chances=chances: np.array(chances)
            how = dict(prior=prior, walk=Walk(guided=settings["share"]))
        search = Walks(seed=settings["key"], **how)
        limit = dict(units=settings["units"], progress=False)
        found = synthesize(task, space=[search], **limit)
        right = any(c.answer.verify(task) for c in found.solutions)
        ends[name] = [round(found.units, 4), bool(found.solutions), right]
    return ends


def known_answers():
    """Programs of the arena's answers for each task of the test, the shortest."""
    texts = {}
    for record in read_json(ROOT / "results/arena.json")["records"].values():
        suite, name = (record["settings"][k] for k in ("suite", "task"))
        result, mine = record["result"], texts.setdefault(suite, {})
        if result["strict"] and "program" in (result["answer"] or {}):
            text = result["answer"]["program"]
            if name not in mine or text.count("\n") < mine[name].count("\n"):
                mine[name] = text
    return texts


def entries_of(suite, share, said, texts):
    """The settings of every walk on a suite."""
    keys, units = ASKED[suite]
    names = [name for name in suites[suite] if texts.get(name)]
    told = {name: telling(parse(texts[name]))(suites[suite][name]) for name in names}
    chances = {
        "none": dict.fromkeys(names),
        "mean": dict.fromkeys(names, said["mean"]),
        "learned": {name: said["chances"][suite][name] for name in names},
        "oracle": {name: told[name].tolist() for name in names},
    }
    return {
        f"{suite}.{way}.{share if way != 'none' else 0}.{key}": dict(
            suite=suite,
            way=way,
            share=share if way != "none" else 0,
            key=key,
            units=units,
            chances=chances[way],
        )
        for key in range(keys)
        for way in WAYS
    }


def chosen(records):
    """The share with which the learned prior needs least work, for development."""
    spent = dict.fromkeys(SHARES, 0.0)
    for record in records.values():
        how = record["settings"]
        if how["way"] == "learned":
            ends = record["result"].values()
            spent[how["share"]] += sum(u if ok else how["units"] for u, _, ok in ends)
    return min(spent, key=spent.get)


def main():
    folder = ROOT / "cells/prior"
    first = {"trained": dict(programs=PROGRAMS, steps=STEPS)}
    done = campaign(first, trained, folder, title="training")
    asked = {
        f"answers.{s}": dict(suite=s, units=20.0) for s in ("recurrences", "paper")
    }
    done |= campaign(asked, answered, folder, title="answers")
    texts = known_answers()
    for suite in ("recurrences", "paper"):
        texts[suite] = done[f"answers.{suite}"]["result"]
    said, ours = done["trained"]["result"], "recurrences"
    entries = {}
    for share in SHARES:
        entries |= entries_of(ours, share, said, texts[ours])
    walks = campaign(entries, walked, folder, title="development")
    for suite in ("recurrences-test", "paper", "interpreters"):
        entries |= entries_of(suite, chosen(walks), said, texts[suite])
    for name, record in campaign(entries, walked, folder, title="walks").items():
        how = {k: v for k, v in record["settings"].items() if k != "chances"}
        done[name] = {**record, "settings": how}  # Chances are those of `trained`
    write_json(ROOT / "results/prior.json", done)


if __name__ == "__main__":
    main()
