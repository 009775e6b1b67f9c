"""Behind `make measure`: put the recorded results into the README, between its markers."""

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def demo_sentence(lines):
    found = [json.loads(line) for line in lines]
    seconds = sorted(x["seconds"] for x in found)
    return (
        f"The demo was strictly verified for {sum(x['verified'] for x in found)} of {len(found)} keys, in {seconds[0]:.0f} to {seconds[-1]:.0f} seconds "
        f"({seconds[len(seconds) // 2]:.0f} in the middle)."
    )


def table(recorded):
    """One row a task: solved or not, by which criterion, in how many seconds."""
    yield "| task | enumeration alone | tuning from random weights | the pipeline |"
    yield "|---|---|---|---|"
    for r in recorded["rows"]:
        e, t, p = r["enumeration"], r["random"], r["pipeline"]
        alone = (
            f"strictly, {e['seconds']} s: `{e['how']}`"
            if e["strict"]
            else f"no, {e['seconds']} s"
        )
        hits = [
            f"{n} of {t['restarts']} {how}"
            for n, how in (
                (t["strict"], "strictly"),
                (t["paper"], "by the paper's criterion"),
            )
            if n
        ]
        tuned = f"{', '.join(hits) or 'no'}, {t['seconds']} s"
        way = (
            "enumeration"
            if p["how"].startswith("enumeration")
            else "search from tuned weights"
            if "from the tuned" in p["how"]
            else "argmax of tuned weights"
            if "argmax" in p["how"]
            else "search around an untuned template"
        )
        yield f"| `{r['task']}` | {alone} | {tuned} | " + (
            f"strictly, {p['seconds']} s: {way} |"
            if p["strict"]
            else f"no, {p['seconds']} s |"
        )


def section():
    recorded = json.loads((ROOT / "results/tasks.json").read_text())
    demo = demo_sentence((ROOT / "results/demo.jsonl").read_text().splitlines())
    v = recorded["versions"]
    return "\n".join(
        [
            *table(recorded),
            "",
            f"Recorded by `make measure` (key {recorded['key']}; random weights: {recorded['rows'][0]['random']['restarts']} restarts of 1,500 steps, 6 lines) "
            f"with jax {v['jax']} on Python {v['python']}, {v['cores']} cores of {v['machine']}. {demo}",
        ]
    )


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
    "fibonacci",
    "fibonacci_seeded",
)


def paper_section():
    """The paper's table in our setting: argmax → guided decoding, and the control."""
    recorded = json.loads((ROOT / "results/table1.json").read_text())
    rows = [
        "| start | " + " | ".join(f"`{c}`" for c in COLUMNS) + " |",
        "|---" * (1 + len(COLUMNS)) + "|",
    ]
    for init, name in STARTS.items():
        hits = [
            recorded["records"][f"ours.{init}.{c}"]["result"]["hits"] for c in COLUMNS
        ]
        rows.append(
            f"| {name} | "
            + " | ".join(
                f"{h['argmax']} → {h['guided']} ({h['control']})" for h in hits
            )
            + " |"
        )
    seconds = sum(r["seconds"] for r in recorded["records"].values())
    return "\n".join(
        [
            *rows,
            "",
            f"Recorded by `{recorded['command']}`, {len(recorded['records'])} cells in {seconds / 60:.0f} minutes on 2 cores; settings, intervals and the other rows are in `nbs/08b_reproduction.ipynb`.",
        ]
    )


def fill(text, marker, section):
    """Put a section between its marker and the next end."""
    return re.sub(
        rf"(?s)(<!-- {marker} -->\n).*?(<!-- end -->)",
        lambda m: m[1] + section + "\n" + m[2],
        text,
    )


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(
        fill(fill(readme.read_text(), "results", section()), "table1", paper_section())
    )
