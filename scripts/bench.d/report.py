"""The tables."""

from statistics import median

from servers import NAMES

_REFERENCES = (("mod_http2", "/mod_http2"), ("nginx", "/nginx"), ("h1", "/h1"))

# A ratio to less than this (context switches per request) says nothing.
_NEARLY_NOTHING = 0.01


def _values(rounds, key):
    """Of the rounds that went well; only where none did, of the others, which are marked."""
    good = [each for each in rounds if "error" not in each] or rounds
    return [each[key] for each in good if key in each]


def median_of(rounds, key):
    values = _values(rounds, key)
    return median(values) if values else None


def ratio_of(ours, theirs, key):
    """The median of the rounds' ratios: drift of the machine over the rounds cancels."""
    ratios = [a[key] / b[key] for a, b in zip(ours, theirs)
              if key in a and b.get(key, 0) > _NEARLY_NOTHING
              and "error" not in a and "error" not in b]
    return median(ratios) if ratios else None


def spread_of(rounds, key):
    """From the least to the greatest, as a part of the median."""
    values = _values(rounds, key)
    return (max(values) - min(values)) / median(values) if len(values) > 1 else None


def number(value):
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:.0f}"
    if abs(value) >= 100 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _print_rows(heading, columns, rows):
    names = [heading] + columns
    table = [names] + rows
    widths = [max(len(row[i]) for row in table) for i in range(len(names))]
    for row in table:
        print(row[0].ljust(widths[0]), *(cell.rjust(width)
                                         for cell, width in zip(row[1:], widths[1:])), sep="  ")


def _cell(rounds, key, mark_errors):
    if rounds is None:
        return ""
    text = number(median_of(rounds, key))
    failed = sum(1 for each in rounds if "error" in each)
    if failed and mark_errors:
        return f"ERROR {failed}/{len(rounds)}"
    return text + "!" if failed else text


def _case_table(title, results, servers, key, mark_errors=False, spread=False):
    references = [(name, text) for name, text in _REFERENCES if name in servers]
    if "ours" not in servers:
        references = []
    rows = []
    for case, found in results:
        if not any(key in each for rounds in found.values() for each in rounds):
            if not mark_errors:
                continue
        row = [f"{case.name} [{case.unit}]" if case.body_bytes else case.name]
        row += [_cell(found.get(name), key, mark_errors) for name in servers]
        for name, _text in references:
            ratio = ratio_of(found.get("ours", []), found.get(name, []), key)
            row.append("" if ratio is None else f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}")
        if spread:
            values = [spread_of(found.get(name, []), key) for name in ("ours", "mod_http2")]
            row.append("/".join("-" if v is None else f"{100 * v:.0f}%" for v in values))
        rows.append(row)
    if not rows:
        return
    print(f"\n{title}")
    _print_rows("case", [*servers, *(text for _name, text in references),
                         *(["spread"] if spread else [])], rows)


def print_cases(results):
    """results: [(case, {server name: [one dict of figures for each round]})]"""
    servers = [name for name in NAMES if any(name in found for _case, found in results)]
    _case_table("Server CPU, us per request (per MiB where [MiB] stands); /x: ours to x, median of "
                "the rounds; spread: ours/mod_http2", results, servers, "cpu_us",
                mark_errors=True, spread=True)
    _case_table("Requests (MiB) per second; more is better", results, servers, "rate")
    _case_table("p50, ms", results, servers, "p50_ms")
    _case_table("p99, ms", results, servers, "p99_ms")
    _case_table("Voluntary context switches per request (MiB)", results, servers, "switches")
    _print_notes(results)


def _print_notes(results):
    print()
    limited = {}
    for case, found in results:
        for name, rounds in found.items():
            if (median_of(rounds, "client_busy") or 0) > 0.9:
                limited.setdefault(name, []).append(case.name)
    for name, cases in limited.items():
        print(f"note: the client used a whole core, so {name} could serve more per second: "
              f"{' '.join(cases)}")
    others = [each["others_busy"] for case, found in results if case.profile == "static"
              for rounds in found.values() for each in rounds if "others_busy" in each]
    if others and median(others) > 0.1:
        print(f"note: other processes used {100 * median(others):.0f}% of a core meanwhile; "
              "the figures are worth less")
    for case, found in results:
        for name, rounds in found.items():
            for i, each in enumerate(rounds, 1):
                if "error" in each:
                    print(f"ERROR {case.name}, {name}, round {i}: {each['error']}")


def print_memory(rows):
    servers = [name for name in NAMES if any(name in found for found in rows.values())]

    def added(found, name, key):
        """What HTTP/2 adds to a connection of the same httpd."""
        value, base = found.get(name, {}).get(key), found.get("h1", {}).get(key)
        return None if value is None or base is None else value - base

    for key, title in (("rss_kb", "RSS"), ("pss_kb", "PSS")):
        print(f"\nMemory ({title}) of a connection without traffic, of a stream that the client "
              "blocks, kB each; added: above h1")
        table = []
        for row, found in rows.items():
            cells = ["ERROR" if "error" in found.get(name, {})
                     else number(found.get(name, {}).get(key)) for name in servers]
            ours, theirs = (found.get(name, {}).get(key) for name in ("ours", "mod_http2"))
            ours_added, theirs_added = (added(found, name, key) for name in ("ours", "mod_http2"))
            cells.append(f"{ours / theirs:.2f}" if ours and theirs else "")
            cells += ["" if ours_added is None else number(ours_added),
                      "" if theirs_added is None else number(theirs_added),
                      f"{ours_added / theirs_added:.2f}"
                      if ours_added is not None and theirs_added else ""]
            table.append([row] + cells)
        _print_rows("state", [*servers, "/mod_http2", "ours added", "mod_http2 added",
                              "added/added"], table)
    _print_row_notes(rows)


def print_instructions(rows):
    servers = [name for name in NAMES if any(name in found for found in rows.values())]
    print("\nInstructions per request (callgrind, user space), 1 connection; h1 with m100 is "
          "HTTP/1.1 pipelined")
    table = []
    for row, found in rows.items():
        counts = {name: found.get(name, {}).get("instructions") for name in servers}
        cells = ["ERROR" if "error" in found.get(name, {}) else number(counts[name])
                 for name in servers]
        for name in ("mod_http2", "h1"):
            ours, theirs = counts.get("ours"), counts.get(name)
            cells.append(f"{ours / theirs:.3f}" if ours and theirs else "")
        table.append([row] + cells)
    _print_rows("case", [*servers, "/mod_http2", "/h1"], table)
    _print_row_notes(rows)


def print_status(rows, seconds):
    print("\nThe status page, read every %d s while one connection asks as fast as it can "
          "(instructions by callgrind)" % seconds)
    table = []
    for row, found in rows.items():
        share = found["page"] / (seconds * found["rate"])
        table.append([row, number(found["page"]), number(found["rate"]), number(found["request"]),
                      number(found["request"] + share),
                      f"{100 * share / found['request']:.2f} %"])
    _print_rows("what is read", ["a reading", "requests/s", "a request", "with readings", "more"],
                table)


def print_scaling(rows):
    servers = [name for name in NAMES if any(name in found for found in rows.values())]
    print("\nWhat keeps threads waiting for one another, clear text")
    _print_rows("count", servers, [
        [row] + ["ERROR" if "error" in found.get(name, {})
                 else number(found.get(name, {}).get("count")) for name in servers]
        for row, found in rows.items()])
    _print_row_notes(rows)


def print_profiles(rows):
    clients = list(next(iter(rows.values())))
    print("\nProfiles of H2TuningProfile by number of clients: requests (uploads: MiB) in a second, "
          "p99 in ms, most memory of the child in MiB")
    table = []
    for row, found in rows.items():
        cells = [row]
        for key in ("ended_rate", "p99_ms", "peak_mb"):
            cells += [number(found[each].get(key)) if key in found[each] else "ERROR"
                      for each in clients]
        table.append(cells)
    _print_rows("load, profile", [f"{word} {each}" for word in ("rate", "p99", "MiB")
                                  for each in clients], table)
    _print_row_notes(rows)


def _print_row_notes(rows):
    for row, found in rows.items():
        for name, figures in found.items():
            for word in ("error", "note"):
                if word in figures:
                    print(f"{'ERROR' if word == 'error' else 'note:'} {row}, {name}: "
                          f"{figures[word]}")
