"""Behind `make measure`: put the recorded results into the README, at its markers."""

import json
import re
from pathlib import Path

from neural_compile.experiments.arena import way_of

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "results"


def row(*words):
    """A line of a table."""
    return f"| {' | '.join(words)} |"


def listed(found):
    """What searches alone made of a task."""
    if not found["strict"]:
        return f"no, {found['seconds']} s"
    how = found["how"]
    shown = how if how.startswith("a walk") else f"`{how}`"
    return f"strictly, {found['seconds']} s: {shown}"


def tuned(found):
    """How many restarts from random weights were recovered, by both criteria."""
    readings = {"strict": "strictly", "paper": "by the paper's criterion"}
    hits = [
        f"{found[name]} of {found['restarts']} {how}"
        for name, how in readings.items()
        if found[name]
    ]
    return f"{', '.join(hits) or 'no'}, {found['seconds']} s"


# How a program was found begins or goes on with one of these words
WAYS = {
    "enumeration": "enumeration",
    "a walk": "a walk",
    "from the tuned": "search from tuned weights",
    "argmax": "argmax of tuned weights",
    "untuned": "search around an untuned template",
}


def pipeline(found):
    """What the whole pipeline made of a task, and by which of its stages."""
    if not found["strict"]:
        return f"no, {found['seconds']} s"
    way = next(way for word, way in WAYS.items() if word in found["how"])
    return f"strictly, {found['seconds']} s: {way}"


def table(recorded):
    """One row a task: solved or not, by which criterion, in how many seconds."""
    heads = "task", "searches alone", "tuning from random weights", "the pipeline"
    yield row(*heads)
    yield "|---" * len(heads) + "|"
    for r in recorded["rows"]:
        ways = listed(r["enumeration"]), tuned(r["random"]), pipeline(r["pipeline"])
        yield row(f"`{r['task']}`", *ways)


def demo_sentence(lines):
    """How often, and how fast, the demo found its program."""
    found = [json.loads(line) for line in lines]
    seconds = sorted(x["seconds"] for x in found)
    verified = sum(x["verified"] for x in found)
    return (
        f"The demo was strictly verified for {verified} of {len(found)} keys, in "
        f"{seconds[0]:.0f} to {seconds[-1]:.0f} seconds "
        f"({seconds[len(seconds) // 2]:.0f} in the middle)."
    )


def section():
    """The table of all tasks, and what it was recorded on."""
    recorded = json.loads((RESULTS / "tasks.json").read_text())
    demo = demo_sentence((RESULTS / "demo.jsonl").read_text().splitlines())
    v, restarts = recorded["versions"], recorded["rows"][0]["random"]["restarts"]
    made = (
        f"Recorded by `make measure` (key {recorded['key']}; random weights: "
        f"{restarts} restarts of 750 steps, 6 lines) with jax {v['jax']} on Python "
        f"{v['python']}, {v['cores']} cores of {v['machine']}. {demo}"
    )
    return "\n".join([*table(recorded), "", made])


STARTS = {
    "random": "random weights",
    "best": "enumeration's best",
    "map_inc": "map inc",
    "map_dec": "map dec",
    "loop_noop": "loop no-op",
}
COLUMNS = (
    "inc",
    "map_inc",
    "map_dec",
    "reduce",
    "parity",
    "map_parity",
    "list_parity",
    "fibonacci",
    "fibonacci_seeded",
)


FEW, MANY = 10_000, 200_000  # Programs a restart


def within(result, reading, programs):
    """Of 100 runs, those solved when so many programs were run for a restart."""
    return sum(run <= programs for run in result["programs"][reading])


def ours(result):
    """Argmax, then guided decoding and its control, at few programs and at many."""
    few, many = (
        f"{within(result, 'guided', n)} ({within(result, 'control', n)})"
        for n in (FEW, MANY)
    )
    return f"{result['hits']['argmax']} → {few} → {many}"


def alone(result):
    """Guided decoding and its control, without help."""
    return f"{result['hits']['guided']} ({result['hits']['control']})"


def paper_rows(records):
    """Our settings, then the same without help."""
    yield row("start", *(f"`{column}`" for column in COLUMNS))
    yield "|---" * (1 + len(COLUMNS)) + "|"
    results = lambda start: [records[f"{start}.{c}"]["result"] for c in COLUMNS]
    for init, name in STARTS.items():
        yield row(name, *map(ours, results(f"ours.{init}")))
    yield row("random weights, no help", *map(alone, results("alone.random")))


def paper_section():
    """The paper's table in our setting, and what it was recorded by."""
    recorded = json.loads((RESULTS / "table1.json").read_text())
    records = recorded["records"]
    minutes = sum(r["seconds"] for r in records.values()) / 60
    made = (
        f"Recorded by `{recorded['command']}`, {len(records)} entries in {minutes:.0f} "
        "minutes on 2 cores; settings, intervals and the other rows are in "
        "`nbs/experiments/8_table1.ipynb`."
    )
    return "\n".join([*paper_rows(records), "", made])


SUITES = ("recurrences-test", "interpreters", "lists-test")
WAYS_MET = (
    *("language", "assembly", "walks", "genetic", "edits", "rounds"),
    *("cells", "all", "all, key 1", "all, key 2", "induce"),
)


def met(results):
    """How many tasks of a suite a rival has solved; nothing if they have not met."""
    strict = [result["strict"] for result in results]
    return f"{sum(strict)} of {len(strict)}" if strict else "–"


def arena_section():
    """How many tasks of each suite each way of searching has solved."""
    recorded = json.loads((RESULTS / "arena.json").read_text())
    meetings = {}
    for record in recorded["records"].values():
        settings = record["settings"]
        where = way_of(settings), settings["suite"]
        meetings.setdefault(where, []).append(record["result"])
    lines = [row("way of searching", *(f"`{s}`" for s in SUITES)), "|---|---|---|---|"]
    for way in WAYS_MET:
        some = [meetings.get((way, suite), []) for suite in SUITES]
        if any(some):
            lines.append(row(way, *map(met, some)))
    made = (
        "Solved strictly, with ten units of work a task. Recorded by the commands in "
        "`results/arena.json`, on 2 cores."
    )
    return "\n".join([*lines, "", made])


def fill(text, marker, section):
    """Put a section between its marker and the next end."""
    return re.sub(
        rf"(?s)(<!-- {marker} -->\n).*?(<!-- end -->)",
        lambda m: m[1] + section + "\n" + m[2],
        text,
    )


if __name__ == "__main__":
    readme = ROOT / "README.md"
    text = fill(readme.read_text(), "results", section())
    text = fill(text, "arena", arena_section())
    readme.write_text(fill(text, "table1", paper_section()))
