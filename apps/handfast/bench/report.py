# SPDX-License-Identifier: BSD-3-Clause
"""What was measured, for people: on the terminal, and as one page that needs nothing else."""

import html
import statistics

import plots
from machine import moved

STYLE = """
:root{--ink:#222;--soft:#5c5c5c;--paper:#fff;--sheet:#fbfcfd;--line:#dfe4e8;--head:#f2f5f8;
--good:#2d6a31;--bad:#a4262c;color-scheme:light dark}
@media(prefers-color-scheme:dark){:root{--ink:#e4e4e4;--soft:#a8a8a8;--paper:#16181a;
--sheet:#1d2023;--line:#3a4046;--head:#24282c;--good:#7fc685;--bad:#f08a8f}}
body{font:15px/1.5 system-ui,sans-serif;max-width:1360px;margin:2em auto;padding:0 1em;
color:var(--ink);background:var(--paper)}
h1{font-size:1.6em;margin-bottom:0}h2{margin-top:2em;border-bottom:2px solid #2b83c6}
.wide{overflow-x:auto}table{border-collapse:collapse;margin:1em 0}
td,th{padding:.25em .5em;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
th{background:var(--head);white-space:normal;vertical-align:bottom}td:first-child,th:first-child{text-align:left;white-space:normal}
.plots{display:flex;flex-wrap:wrap;gap:1em}figure{margin:0;flex:1 1 500px;min-width:0;max-width:760px}
figcaption{font-weight:600}svg{width:100%;box-sizing:border-box;background:var(--sheet);border:1px solid var(--line)}
.grid{stroke:var(--line)}.whisker{stroke:var(--ink);stroke-width:2}
.mark{stroke:var(--soft);stroke-dasharray:2 3}.tick{font-size:12px;fill:var(--soft)}.name{font-size:13px;fill:var(--ink)}
.about{max-width:60em}dl{display:grid;grid-template-columns:max-content 1fr;gap:.1em 1em;
font-size:.93em}dt{color:var(--soft)}dd{margin:0}
.legend span{margin-right:1.2em}.legend i{display:inline-block;width:.8em;height:.8em;
margin-right:.4em}.note{color:var(--soft)}.good{color:var(--good)}.bad{color:var(--bad)}
pre{white-space:pre-wrap}nav a{margin-right:1em;color:inherit}
@media(max-width:700px){body{font-size:14px;margin:1em auto}.tick{font-size:16px}
.name{font-size:18px}}
"""
# What a figure is of, in a sentence: whoever gets the page was not there.
ABOUT = {
    "syn": "SYNs with Linux's options from a capture, over and over, each answered by a SYN cookie; "
           "testpmd 5tswap only exchanges addresses and ports of the same frames.",
    "forged-ack": "ACKs of no connection, each refused because its cookie is forged; beside "
                  "testpmd 5tswap on the same frames.",
    "open-close": "Connections opened and closed without data: SYN, SYN-ACK, ACK, FIN, FIN-ACK, "
                  "ACK. A memif is between engine and generator.",
    "cookies": "Connections opened and closed without data, each SYN answered by a SYN cookie.",
    "request": "A connection for each HTTP request: SYN, SYN-ACK, ACK with the request, answer of "
               "64 bytes with FIN, FIN-ACK, ACK.",
    "proxy": "A connection for each HTTP request, through the engine to a backend (mode: proxy): two "
             "handshakes, spliced. Packets are the client's; the backend's are as many again. "
             "Generator and backend share a core.",
    "forward": "Frames passed on to a backend (mode: direct): one in, one out. Generator and "
               "backend share a core.",
    "table": "Opening and closing, as in open-close, beside connections that are only held.",
    "flood": "Clients that open and close while SYNs from random sources come by a second port.",
    "search": "An open loop: the highest rate that loses nothing, and what comes of more than that.",
    "idle": "How soon an engine is there, and what it costs when nobody talks to it.",
}
COLUMNS = (
    ("quartiles", "of the repetitions: half of them were between these two"),
    ("packets/conn", "planned, both directions; seen, when that differs: retransmissions, ARP"),
    ("cycles/conn", "TSC cycles that the engine's worker was busy, by connections"),
    ("engine, generator", "share of the time that they were busy; who has 100 % is the limit, or, "
                          "of proxy and forward, the core that generator and backend share"),
    ("connect", "from the time a start was due to ESTABLISHED"),
    ("failed", "connections, over all repetitions"),
    ("lost", "over all repetitions: failed, not started though due, or not done by the end"),
    ("core to core", "how long a cache line takes to the other core and back; on virtual machines "
                     "it changes from second to second, and rates with it"),
)
PERCENTILES = ("p50", "p90", "p99", "p99.9", "p99.99", "max")
AT_LEAST = {"syn": 0.5}
ENOUGH = 0.99  # of an offer below the knee, all of which a machine at rest does
OWN_CORE = 0.8  # An engine that spins has all of it when nobody else wants it.


def number(value: float) -> str:
    """12345.6 as 12,346; small ones with a digit or two."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:.3g}"


def micro(value: float) -> str:
    """Microseconds, which are counted whole."""
    return number(value) if value >= 1 else "< 1"


def spread(rate: dict) -> str:
    """Quartiles, where there are any."""
    if rate["q1"] == rate["q3"]:
        return "-"
    return f"{plots.short(rate['q1'])} .. {plots.short(rate['q3'])}"


def measured(value: float) -> str:
    """A number, or that there is none."""
    return number(value) if value else "-"


def latency(run: dict, which: str, percentile: str) -> float:
    """A percentile in microseconds, 0 when there was none."""
    return run.get("latency_us", {}).get(which, {}).get(percentile, 0)


class Table:
    """Rows of text with a heading."""

    def __init__(self, *heading: str):
        self.heading, self.rows = heading, []

    def add(self, *cells: object) -> None:
        """A row."""
        self.rows.append([str(cell) for cell in cells])

    def text(self) -> str:
        """In columns."""
        widths = [max(len(row[column]) for row in [self.heading, *self.rows])
                  for column in range(len(self.heading))]
        return "\n".join("  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
            for row in [list(self.heading), *self.rows])

    def page(self) -> str:
        """In HTML."""
        def row(cells, tag):
            return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) \
                + "</tr>"
        return ('<div class="wide"><table><thead>' + row(self.heading, "th") + "</thead><tbody>"
                + "".join(row(cells, "td") for cells in self.rows) + "</tbody></table></div>")


def packets(one: dict) -> str:
    """Packets of a connection: those planned, and those seen where it was not so many."""
    planned = one.get("packets_per_connection", 1)
    seen = one.get("packets_per_connection_seen", planned)
    return f"{planned:g}" if abs(seen - planned) < 0.005 else f"{planned:g} ({seen:.2f})"


def case_table(result: dict) -> Table:
    """open-close, request, proxy, forward."""
    what = "frames" if result["name"] == "forward" else "connections"
    table = Table("contestant", f"{what} per second", "quartiles", "packets/conn", "cycles/conn",
                  "connect p50 us", "p99 us", "p99.9 us", "failed", "engine", "generator",
                  "engine MiB")
    for name, one in result["contestants"].items():
        rate = one["rate"]
        table.add(name, number(rate["median"]), spread(rate),
                  "1" if plots.is_limit(name) else packets(one),
                  measured(one.get("cycles_per_connection", 0)),
                  *(measured(latency(one, "connect", which)) for which in ("p50", "p99", "p99.9")),
                  one["failures_of_all"],
                  *(f"{one[who]:.0%}" if who in one else "-"
                    for who in ("engine_busy", "generator_busy")),
                  measured(one.get("engine_rss_mib", 0)))
    return table


def syn_table(result: dict) -> Table:
    """syn and forged-ack."""
    table = Table("frames", "packets per second", "quartiles", "ns each", "5tswap per second",
                  "quartiles", "ratio", "quartiles", "core share", "core to core ns")
    for row in result["rows"]:
        ratio = row["ratio_quartiles"]
        table.add(row["case"], number(row["pps"]), spread(row["pps_quartiles"]),
                  row["ns_per_packet"], number(row["limit_pps"]),
                  spread(row["limit_pps_quartiles"]), row["ratio"],
                  f"{ratio['q1']:.3f} .. {ratio['q3']:.3f}", f"{row['core_share']:.0%}",
                  number(row["core_to_core_ns"]["median"]))
    return table


def size_table(result: dict) -> Table:
    """table."""
    table = Table("connections held", "opened and closed per second", "quartiles",
                  "packets/conn", "cycles/conn", "failed", "engine MiB")
    for row in result["rows"]:
        table.add(number(row["connections"]), number(row["rate"]["median"]),
                  spread(row["rate"]), packets(row),
                  row["cycles_per_connection"], row["failures"], row["engine_rss_mib"])
    return table


def flood_table(result: dict) -> Table:
    """flood."""
    table = Table("flood asked for", "arrived", "SYN/s arrived", "clients/s", "packets/conn",
                  "completed", "connect p50 us", "p99 us", "p99.9 us", "engine MiB", "cycles/SYN")
    for row in result["rows"]:
        table.add(f"x {row['times']}", f"x {row['arrived_times']:.1f}", number(row["flood_rate"]),
                  number(row["rate"]), packets(row), f"{row['completed_share']:.2%}",
                  *(micro(latency(row, "connect", which)) for which in ("p50", "p99", "p99.9")),
                  row["engine_rss_mib"], number(row["cycles_per_syn"]))
    return table


def search_table(result: dict) -> Table:
    """search."""
    table = Table("offered per second", "of capacity", "done per second", "of the peak",
                  "packets/conn", "lost", "failed", "retransmitted", "connect p50 us", "p99 us",
                  "core to core ns")
    for row in result["curve"]:
        table.add(number(row["offered"]), f"{row['offered'] / result['capacity']:.0%}",
                  number(row["done"]), f"{row['kept']:.1%}", packets(row),
                  f"{row['lost_share']:.3%}", number(row["failures"]),
                  number(row["retransmits"]), micro(row["p50_us"]), micro(row["p99_us"]),
                  number(row["core_to_core_ns"]))
    return table


def idle_table(result: dict) -> Table:
    """idle."""
    table = Table("figure", "median", "lowest", "highest", "", "at most")
    for row in result["rows"]:
        shown = micro if row["unit"] == "us" else number
        table.add(row["what"], *(shown(choose(row["values"]))
                                 for choose in (statistics.median, min, max)), row["unit"],
                  measured(row["most"]))
    return table


TABLES = {"syn": syn_table, "forged-ack": syn_table, "table": size_table, "flood": flood_table,
          "search": search_table, "idle": idle_table}


def unlike(ours: dict, theirs: dict, name: str) -> list:
    """Why figures of two contestants cannot be compared."""
    why = [f"{who} had {one['engine_share']:.0%} of its core" for who, one in
           (("the engine", ours), (name, theirs)) if one.get("engine_share", 1) < OWN_CORE]
    near, far = (one.get("core_to_core_ns", 0) for one in (ours, theirs))
    if moved(near, far):
        why.append(f"core to core and back took {near:.0f} ns, and {far:.0f} ns while {name} ran")
    return why


def limit_note(result: dict, mode: str) -> str:
    """How near we came to testpmd, and what may be wrong with that."""
    ratio, count = result["ratio_to_limit"][mode], len(result["ratio_to_limit_runs"][mode])
    part = result["ratio_to_limit_quartiles"][mode]
    why = unlike(result["contestants"]["handfast"],
                 result["contestants"].get(f"testpmd {mode}, packets", {}), "testpmd")
    if result["pairs_moved"][mode]:
        why.append(f"in {result['pairs_moved'][mode]} of {count} pairs the cores moved meanwhile")
    if ratio > 1:
        why.append("above 1, so that testpmd was no limit, or the machine was slower in its turns")
    return (f"{ratio:.3f} of the packets that testpmd {mode} passes on the same port and core"
            + "".join(f"; careful: {one}" for one in why)
            + f"; median of {count} pairs, quartiles {part['q1']:.3f} .. {part['q3']:.3f}")


def search_notes(result: dict) -> list:
    """What the search found, by what criterion, and whether the plateau is one."""
    said = [(None, f"{result['case']}: NDR (none lost) {number(result['ndr'])}/s, PDR (at most 0.5 "
             f"% lost) {number(result['pdr'])}/s, closed loop {number(result['closed_loop'])}/s; "
             f"in most of {result['trials_of_a_load']} trials of a load"),
            (None, "lost: failed, not started though due, or not done by the end of the trial "
             "(RFC 9971: of load times duration); what came due in its last 10 ms may end later")]
    if result.get("later", 0) > result["ndr"]:
        said.append((None, f"careful: later {number(result['later'])}/s were done and none lost: "
                     "the machine was slower while this searched"))
    said.append((result["plateau_kept"], "past the knee goodput stays within 10 % of the peak: at "
                 f"least {result['plateau']:.1%} of it"))
    if result["plateau_kept"] is None:
        said.append((None, "the knee was not reached: all of the highest offer was done"))
    said.append((None, "the peak: a closed loop's rate right before, or the offer where that is "
                 "less; past the knee: offers of 90 % of the capacity and more; capacity: the "
                 "highest of closed loop, NDR and PDR"))
    for row in result["curve"]:
        if not row["past_knee"] and row["kept"] < ENOUGH:
            said.append((None, f"careful: below the knee, {row['offered'] / result['capacity']:.0%}"
                         f" of the capacity, only {row['kept']:.1%} of the offer were done"))
    return said


def notes(result: dict) -> list:
    """Sentences below a table: (good, text); good is None for what is no verdict."""
    said = [(None, conditions(result))] if "ran_with" in result else []
    if result.get("ended_early"):
        said.append((None, "ended before all repetitions were done"))
    if result.get("one_core"):
        said.append((None, "careful: engine and generator share a core, so that these figures say "
                     "little"))
    elif "core_to_core_ns" in result:
        probe = result["core_to_core_ns"]
        share = result["contestants"]["handfast"].get("engine_share", 1)
        if share < OWN_CORE:
            said.append((None, f"careful: the machine was busy with other things: the engine had {share:.0%} "
                         "of its core, so that these figures say little"))
        said.append((None, f"core to core and back {probe['median']:.0f} ns (quartiles "
                     f"{probe['q1']:.0f} .. {probe['q3']:.0f}), load average "
                     f"{result['load_average']:.2f}"))
    said += [(None, limit_note(result, mode)) for mode in result.get("ratio_to_limit", ())]
    if result["name"] in AT_LEAST:
        least = min(row["ratio"] for row in result["rows"])
        said.append((least >= AT_LEAST[result["name"]],
                     f"at least {AT_LEAST[result['name']]} of 5tswap: {least}"))
    if result["name"] == "idle":
        said += [(statistics.median(row["values"]) <= row["most"],
                  f"{row['what']}: at most {row['most']:g} {row['unit']}")
                 for row in result["rows"] if row["most"]]
    if result["name"] == "search":
        said += search_notes(result)
    if result["name"] == "flood":
        least = min(row["completed_share"] for row in result["rows"])
        said.append((least == 1.0, f"clients completed: {least:.3%} at worst"))
        said.append((None, "both generators share a core, so less arrives than is asked for"))
    if result["name"] == "table" and len(result["rows"]) > 1:
        rates = [row["rate"]["median"] for row in result["rows"]]
        said.append((rates[-1] * 2 >= rates[0], f"{number(result['rows'][-1]['connections'])} "
                     f"connections at {rates[-1] / rates[0]:.2f} of the rate with "
                     f"{number(result['rows'][0]['connections'])}"))
    return said


def conditions(result: dict) -> str:
    """What a name ran with, which is not the same for all of them."""
    how = result.get("ran_with")
    if how is None:
        return ""
    said = [f"memory: {how['memory']}"]
    if how["concurrency"]:
        said.append(f"{how['concurrency']:,} at once"
                    + (f" in closed loops, {how['open_loop_concurrency']:,} in open ones"
                       if "open_loop_concurrency" in how else ""))
    if TABLES.get(result["name"]) is not syn_table:  # Those have no memif.
        said.append("the engine lends its buffers" if how["zero_copy"] else "the engine copies")
    return "ran with " + ", ".join(said)


def describe(document: dict) -> dict:
    """The environment: {what: text}."""
    where, how = document["environment"], document["settings"]
    return {
        "build": f"handfast {where['handfast']} commit {where['commit']}, {where['dpdk']}, "
                 f"{where['compiler']}",
        "machine": f"{where['cpu']}, {where['cpus']} CPUs, {number(where['memory_mib'])} MiB, "
                   f"{where['system']} {where['kernel']}",
        "cores": f"engine on {where['engine_core']}, generator on {where['generator_core']}"
                 f"{', raised priority' if how['priority'] else ', no priority'}",
        "memory": f"{where['free_hugepages']} free hugepages",
        "runs": f"medians of {how['repetitions']} of {how['seconds']:g} s, in turns where there "
                "is more than one contestant",
        "begun": f"{where['date']}, load average {where['load_average']:.2f}",
    }


def accidents_text(result: dict) -> list:
    """What went wrong, with the last words of whom it happened to."""
    return ["  accident: " + one.replace("\n", "\n    ") for one in result.get("accidents", ())]


def accidents_page(result: dict) -> str:
    """The same in HTML."""
    return "".join(f'<pre class="bad">accident: {html.escape(one)}</pre>'
                   for one in result.get("accidents", ()))


def text(document: dict) -> str:
    """For the terminal."""
    parts = ["\n".join(f"{what + ':':<9}{line}" for what, line in describe(document).items())]
    for result in document["results"]:
        parts.append("")
        if "skipped" in result:
            why = result["skipped"].splitlines()
            # Last words stand below their first line; where there was an accident that has them.
            parts.append("\n    ".join([f"{result['name']}: {why[0]}",
                                       *([] if result.get("accidents") else why[1:])]))
            parts += accidents_text(result)
            continue
        parts.append(f"{result['name']}: {ABOUT[result['name']]}")
        parts.append(TABLES.get(result["name"], case_table)(result).text())
        for good, sentence in notes(result):
            mark = "" if good is None else "ok: " if good else "missed: "
            parts.append(f"  {mark}{sentence}")
        parts += accidents_text(result)
    return "\n".join(parts)


def rate_bars(ones: dict) -> str:
    """Rates; beside testpmd all of them in packets, or bars of unlike things would be compared."""
    limited = any(plots.is_limit(name) for name in ones)
    rows = []
    for name, one in ones.items():
        # What testpmd is counted by comes in and goes out again.
        each = 1
        if limited and not plots.is_limit(name):
            each = one.get("packets_per_connection_seen", 2) / 2
        rows.append((name, *(one["rate"][which] * each for which in ("q1", "median", "q3"))))
    if limited:
        return plots.bars("packets passed, median with quartiles", "packets per second each way",
                          rows)
    return plots.bars("rate, median with quartiles", "per second", rows)


def case_plots(result: dict) -> str:
    """Bars of rates, rate over time, percentiles."""
    ones = result["contestants"]
    drawn = rate_bars(ones)
    timed = {name: [(second["t"], second["rate"]) for second in one["series"]]
             for name, one in ones.items() if one.get("series")}
    drawn += plots.lines("rate over time, all repetitions", "seconds", "per second", timed,
                         loose=range(len(timed)))
    series = {}
    for name, one in ones.items():
        for which in ("connect", "first_byte", "close"):
            line = [(index, latency(one, which, percentile))
                    for index, percentile in enumerate(PERCENTILES)]
            if any(value for _, value in line):
                series[f"{name} {which.replace('_', ' ')}"] = line
    drawn += plots.lines("latency percentiles", "percentile", "microseconds", series, log_y=True,
                         places=PERCENTILES)
    return drawn


def search_plots(result: dict) -> str:
    """Offered and done, with what was found."""
    curve, marks = result["curve"], {}
    for rate, name in ((result["ndr"], "NDR"), (result["pdr"], "PDR"),
                       (result["closed_loop"], "closed loop")):
        marks.setdefault(rate, []).append(name)
    marks = {" = ".join(names): rate for rate, names in marks.items()}
    return plots.lines("offered and done", "offered per second", "done per second", {
        "done, medians": [(row["offered"], row["done"]) for row in curve],
        "offered": [(0, 0), (curve[-1]["offered"], curve[-1]["offered"])],
        "trials of the search": [(run["offered"], run["rate"]) for run in result["trials"]]},
        dashed=(1,), loose=(2,), bare=(1,), zero_x=True, marks=marks) \
        + plots.lines("connect latency", "offered per second", "microseconds", {
            which: [(row["offered"], row[f"{which}_us"]) for row in curve]
            for which in ("p50", "p99")}, log_y=True, zero_x=True, marks=marks)


def flood_plots(result: dict) -> str:
    """Survival."""
    rows = sorted(result["rows"], key=lambda row: row["arrived_times"])
    name = "flood that arrived, times the clients' packet rate"
    return plots.lines("clients during a flood", name, "per second", {
        "clients completed": [(row["arrived_times"], row["rate"]) for row in rows]}, zero_x=True) \
        + plots.lines("handshake during a flood", name, "microseconds", {
            which: [(row["arrived_times"], latency(row, "connect", which)) for row in rows]
            for which in ("p50", "p99", "p99.9")}, log_y=True, zero_x=True)


def size_plots(result: dict) -> str:
    """Scaling."""
    rows = result["rows"]
    return plots.lines("rate beside connections that are held", "connections", "per second", {
        "open-close": [(row["connections"], row["rate"]["median"]) for row in rows]}, log_x=True) \
        + plots.lines("engine's memory", "connections", "MiB", {
            "resident": [(row["connections"], row["engine_rss_mib"]) for row in rows]}, log_x=True)


def syn_plots(result: dict) -> str:
    """Beside 5tswap."""
    rows = []
    for row in result["rows"]:
        for name, of in ((row["case"], row["pps_quartiles"]),
                         (f"{row['case']} 5tswap", row["limit_pps_quartiles"])):
            rows.append((name, *(of[which] for which in ("q1", "median", "q3"))))
    return plots.bars("packets by second of the core's time", "per second", rows)


def idle_plots(result: dict) -> str:
    """Handshakes by policy."""
    rows = [(row["what"], min(row["values"]), statistics.median(row["values"]),
             max(row["values"])) for row in result["rows"] if row["unit"] == "us"]
    return plots.bars("a handshake on an idle engine", "microseconds", rows)


PLOTS = {"syn": syn_plots, "forged-ack": syn_plots, "table": size_plots, "flood": flood_plots,
         "search": search_plots, "idle": idle_plots}


def verdicts(document: dict) -> str:
    """All goals, and where to find what."""
    results = document["results"]
    links = "".join(f'<a href="#{html.escape(one["name"])}">{html.escape(one["name"])}</a>'
                    for one in results)
    said = "".join(
        f'<li class="{"good" if good else "bad"}">{html.escape(one["name"])}: '
        f'{"reached" if good else "missed"}: {html.escape(sentence)}</li>'
        for one in results if "skipped" not in one
        for good, sentence in notes(one) if good is not None)
    said += "".join(
        f'<li class="bad">{html.escape(one["name"])}: accident: '
        f'{html.escape(accident.splitlines()[0])}</li>'
        for one in results for accident in one.get("accidents", ()))
    return f"<nav>{links}</nav>" + (f"<ul>{said}</ul>" if said else "")


def section(result: dict) -> str:
    """One result."""
    head = (f'<section id="{html.escape(result["name"])}"><h2>{html.escape(result["name"])}</h2>'
            f'<p class="about">{html.escape(ABOUT[result["name"]])}</p>')
    if "skipped" in result:
        why, _, more = result["skipped"].partition("\n")
        more = f'<pre class="note">{html.escape(more)}</pre>' if more else ""
        return f'{head}<p class="note">not measured: {html.escape(why)}</p>{more}' \
               f'{accidents_page(result)}</section>'
    said = "".join(
        f'<p class="{"note" if good is None else "good" if good else "bad"}">'
        f'{html.escape(sentence)}</p>' for good, sentence in notes(result))
    return (head + TABLES.get(result["name"], case_table)(result).page() + said
            + accidents_page(result) + f'<div class="plots">{PLOTS.get(result["name"], case_plots)(result)}</div></section>')


def pairs(of) -> str:
    """Names and what belongs to them."""
    return "<dl>" + "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text_of)}</dd>"
                            for name, text_of in of) + "</dl>"


def page(document: dict) -> str:
    """For a browser."""
    return ('<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1"><title>handfast bench</title>'
            f"<style>{STYLE}</style></head><body><h1>handfast bench</h1>"
            f"{pairs(describe(document).items())}{verdicts(document)}"
            + "".join(section(result) for result in document["results"])
            + f"<footer><h2>columns</h2>{pairs(COLUMNS)}</footer></body></html>\n")
