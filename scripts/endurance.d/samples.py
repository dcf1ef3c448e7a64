# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What a process holds, over time: samples from /proc, a straight line through them, a curve in text."""

import os
import re
from pathlib import Path
from statistics import median

FIELDS = ("anon_kib", "rss_kib", "descriptors", "threads")
_BLOCKS = "▁▂▃▄▅▆▇█"


def sample(pid):
    """FIELDS of a process; None if it is gone."""
    try:
        status = Path("/proc/%d/status" % pid).read_text()
        descriptors = len(os.listdir("/proc/%d/fd" % pid))
    except OSError:
        return None
    found = {name: int(number) for name, number in re.findall(r"^(\w+):\s+(\d+)", status, re.M)}
    if "RssAnon" not in found:          # it has ended, and nobody has looked yet
        return None
    return {"anon_kib": found["RssAnon"], "rss_kib": found["VmRSS"],
            "descriptors": descriptors, "threads": found["Threads"]}


def cpu_seconds(pid):
    """Of the process and of its children that have ended."""
    try:
        fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def rise(points):
    """How much the least-squares line through [(time, value)] rises from the first to the last."""
    count = len(points)
    if count < 2:
        return 0.0
    time_mean = sum(t for t, _ in points) / count
    mean = sum(v for _, v in points) / count
    spread = sum((t - time_mean) ** 2 for t, _ in points)
    if not spread:
        return 0.0
    slope = sum((t - time_mean) * (v - mean) for t, v in points) / spread
    return slope * (points[-1][0] - points[0][0])


def quarters(points):
    """Medians of the first and of the last quarter of [(time, value)]."""
    size = max(1, len(points) // 4)
    return median(v for _, v in points[:size]), median(v for _, v in points[-size:])


def sparkline(values, width=60):
    """At most `width` blocks, each for the mean of its part; from the lowest to the highest mean."""
    if not values:
        return ""
    parts = min(width, len(values))
    means = []
    for i in range(parts):
        part = values[i * len(values) // parts:(i + 1) * len(values) // parts]
        means.append(sum(part) / len(part))
    low, high = min(means), max(means)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0
    return "".join(_BLOCKS[round((mean - low) * scale)] for mean in means)
