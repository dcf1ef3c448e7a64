# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What monitoring reads: ?metrics in both formats, and what is made of it in docs/observability/."""

import json
import re
import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text

import environment as env
from connections import open_client
from environment import wait_until
from h1client import Http1
from h2client import CANCEL, INITIAL_WINDOW_SIZE, PROTOCOL_ERROR
from servers import SITE, VHOSTS

OPEN_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ACCEPT = {"open": {"accept": "application/openmetrics-text; version=1.0.0"},
          "text": {"accept": "text/plain"}}
TIMES = ("wait", "run", "first_byte", "client", "total")

CONFIG = SITE + """
<Location /h2-status>
    SetHandler http2-status
</Location>
<VirtualHost *:{port_plain}>
    ServerName a.test
    Protocols http/1.1
</VirtualHost>
""" + VHOSTS


@pytest.fixture
def server(servers, mpm):
    return servers.get("metrics", mpm, CONFIG, ports=("tls", "clear", "plain"))


def ask(server, headers=None):
    """Over HTTP/1.1, which is not counted."""
    with Http1(server.address("plain")) as client:
        answer = client.get("/h2-status?metrics", headers or {})
    assert answer.status == 200
    return answer


class Figures:
    """All samples, by their name and labels."""

    def __init__(self, server, how="open"):
        answer = ask(server, ACCEPT[how])
        parse = parse_open if how == "open" else parse_text
        self.text = answer.text
        self.families = {family.name: family for family in parse(answer.text)}
        self.samples = {(s.name, tuple(sorted(s.labels.items()))): s.value
                        for family in self.families.values() for s in family.samples}

    def get(self, name, **labels):
        return self.samples["mod_http2_" + name, tuple(sorted(labels.items()))]

    def buckets(self, name):
        return [(dict(labels)["le"], value) for (sample, labels), value in self.samples.items()
                if sample == "mod_http2_%s_seconds_bucket" % name]


def promtool():
    found = shutil.which("promtool") or env.CHECKOUT / "build" / "tools" / "promtool"
    if not shutil.which(str(found)):
        pytest.skip("no promtool: scripts/install-deps test")
    return str(found)


def run_promtool(*args, text=None):
    result = subprocess.run([promtool(), *args], input=text, capture_output=True, text=True,
                            timeout=60 * env.SLOWER)
    assert result.returncode == 0 and not result.stderr, result.stdout + result.stderr
    return result.stdout


def assert_well_formed(server):
    """Both formats, and that they say the same of what does not change meanwhile."""
    open_figures, text_figures = Figures(server, "open"), Figures(server, "text")
    assert open_figures.text.endswith("# EOF\n") and "# EOF" not in text_figures.text
    assert open_figures.samples == text_figures.samples
    assert not run_promtool("check", "metrics", text=text_figures.text)
    for family in open_figures.families.values():
        assert family.documentation.endswith(".") and family.samples, family
        if family.name.endswith(("_bytes", "_seconds")):
            assert family.unit == family.name.rsplit("_", 1)[1]
        else:
            assert not family.unit
        for sample in family.samples:
            assert sample.timestamp is None and sample.value >= 0
    for name in TIMES:
        assert_histogram(open_figures, name)


def assert_histogram(figures, name):
    """Cumulative, and with a sum that its buckets allow."""
    count = figures.get(name + "_seconds_count")
    total = figures.get(name + "_seconds_sum")
    buckets = figures.buckets(name)
    values = [value for _, value in buckets]
    assert buckets[-1] == ("+Inf", count) and len(buckets) == 22
    assert values == sorted(values)
    bounds = [float(le) for le, _ in buckets]
    assert bounds == sorted(bounds)
    lowest = highest = before = 0
    for i, (bound, value) in enumerate(zip(bounds, values)):
        if value > before:
            lowest += (value - before) * (bounds[i - 1] if i else 0)
            highest += (value - before) * bound
        before = value
    assert lowest <= total <= highest


# -- formats ----------------------------------------------------------------------------------------


def test_both_formats_are_well_formed_without_traffic(servers, mpm):
    server = servers.get("metrics-quiet", mpm, CONFIG, ports=("tls", "clear", "plain"))
    assert_well_formed(server)
    figures = Figures(server)
    for (name, _), value in figures.samples.items():
        if name.endswith(("_total", "_bucket", "_count", "_sum")) and "_workers_" not in name:
            assert value == 0, name
    assert figures.get("children") == 1


def test_both_formats_are_well_formed_after_traffic(server, transport):
    with open_client(server, transport) as client:
        client.wait(*[client.request("GET", "/files/%d.bin" % size) for size in (0, 1000, 65537)])
        client.fetch("POST", "/h2test/read", body=bytes(70000))
        client.get("/missing")
        stream = client.request("GET", "/h2test/sleep?ms=500")
        client.ping()
        client.send_reset(stream, CANCEL)
        client.ping()
    wait_until(lambda: not Figures(server).get("open_sessions"), "the end of the connection")
    assert_well_formed(server)


def test_the_build_is_told(server):
    figures = Figures(server)
    labels = figures.families["mod_http2_build"].samples[0].labels
    assert figures.families["mod_http2_build"].type == "info"
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", labels["version"])
    assert re.fullmatch(r"1\.\d+\.\d+.*", labels["nghttp2"])
    assert labels["mpm"] == server.mpm
    assert labels["httpd"] == "%d.%d.%d" % env.httpd_version()


@pytest.mark.parametrize("accept, content_type", [
    (None, TEXT_TYPE),
    ("*/*", TEXT_TYPE),
    ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT_TYPE),
    ("application/json", TEXT_TYPE),
    ("application/openmetrics-text", OPEN_TYPE),
    ("application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.8", OPEN_TYPE),
    ("application/openmetrics-text;version=1.0.0;q=0.7,text/plain;q=0.8", TEXT_TYPE),
    ("application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.5", TEXT_TYPE),
    ("application/openmetrics-text;q=0,*/*", TEXT_TYPE),
])
def test_the_accept_field_chooses_the_format(server, accept, content_type):
    answer = ask(server, {"accept": accept} if accept else None)
    assert answer.headers["content-type"] == content_type
    assert "accept" in [word.strip().lower() for word in answer.headers["vary"].split(",")]


def test_several_accept_fields_are_one(server):
    answer = ask(server, [("accept", "text/plain;q=0.5"), ("accept", OPEN_TYPE)])
    assert answer.headers["content-type"] == OPEN_TYPE


def test_they_are_to_be_had_over_http2(server, transport):
    with open_client(server, transport) as client:
        stream = client.get("/h2-status?metrics", ACCEPT["open"])
        assert stream.headers["content-type"] == OPEN_TYPE
        assert list(parse_open(stream.text))


# -- figures ----------------------------------------------------------------------------------------


class Change:
    """What counts have grown by since it was made."""

    def __init__(self, server):
        self.server = server
        self.before = Figures(server)

    def get(self, name, **labels):
        return Figures(self.server).get(name, **labels) - self.before.get(name, **labels)


def test_what_was_asked_for_is_counted(server, transport):
    change = Change(server)
    with open_client(server, transport) as client:
        client.wait(*[client.request("GET", "/files/1000.bin?%d" % i) for i in range(40)])
        client.fetch("POST", "/h2test/read", body=bytes(5000))
        client.get("/missing")
        now = Figures(server)
        assert now.get("open_sessions") - change.before.get("open_sessions") == 1
    assert change.get("sessions_total", by="alpn" if transport == "tls" else "preface") == 1
    assert change.get("streams_total") == change.get("requests_total") == 42
    assert change.get("completed_total") == 42
    assert change.get("responses_total", **{"class": "2xx"}) == 41
    assert change.get("responses_total", **{"class": "4xx"}) == 1
    assert change.get("received_body_bytes_total") == 5000
    assert change.get("sent_body_bytes_total") > 40000
    assert change.get("sent_bytes_total") > change.get("sent_body_bytes_total")
    assert change.get("received_frames_total", type="headers") == 42
    fields = change.get("received_field_bytes_total")
    assert 42 * 10 < change.get("received_block_bytes_total") < fields < 42 * 400
    for name in ("wait", "run", "first_byte", "total"):
        assert change.get(name + "_seconds_count") == 42
    wait_until(lambda: change.get("sessions_ended_total") == 1, "the end of the connection")


def test_times_are_in_seconds(server, h2_of_server):
    change = Change(server)
    h2_of_server.get("/h2test/sleep?ms=300")
    for name in ("run", "total"):
        assert 0.3 <= change.get(name + "_seconds_sum") < 5
        assert change.get(name + "_seconds_bucket", le="0.262143") == 0
        assert change.get(name + "_seconds_bucket", le="+Inf") == 1


@pytest.fixture
def h2_of_server(server, transport):
    return open_client(server, transport)


def test_resets_are_counted_by_side_and_error(server, h2_of_server):
    change = Change(server)
    stream = h2_of_server.request("GET", "/h2test/sleep?ms=300")
    h2_of_server.ping()
    h2_of_server.send_reset(stream, CANCEL)
    stream = h2_of_server.open()
    h2_of_server.send_headers(stream.id, [(":method", "GET"), (":path", "/"), (":scheme", "http"),
                                          (":authority", "a.test"), ("Upper", "case")])
    h2_of_server.wait_reset(stream)
    assert change.get("resets_received_total", error="cancel") == 1
    assert change.get("resets_sent_total", error="protocol_error") == 1
    assert stream.reset == PROTOCOL_ERROR


def test_a_window_that_is_shut_is_counted(server, transport):
    change = Change(server)
    client = open_client(server, transport, auto_window=False, settings={INITIAL_WINDOW_SIZE: 500})
    stream = client.request("GET", "/files/1000.bin")
    client.wait_bytes(stream, 500)
    client.ping()
    wait_until(lambda: change.get("stalls_total") == 1, "the stall")
    client.send_window_update(stream.id, 1000)
    client.wait(stream)
    assert change.get("client_seconds_count") == 1
    assert change.get("stall_seconds_total") > 0
    assert abs(change.get("stall_seconds_total") - change.get("client_seconds_sum")) < 1e-5


def test_counts_never_fall_over_a_graceful_restart(servers, mpm, transport):
    server = servers.get("metrics-restarted", mpm, CONFIG, ports=("tls", "clear", "plain"),
                         servers=2, is_stable=False)
    change = Change(server)
    for asked in (60, 120):
        clients = [open_client(server, transport) for _ in range(3)]
        for client in clients:
            client.wait(*[client.request("GET", "/files/1000.bin") for _ in range(20)])
        before = Figures(server)
        assert change.get("requests_total") == change.get("completed_total") == asked
        server.graceful()
        after = Figures(server)
        for key, value in before.samples.items():
            if key[0].endswith(("_total", "_bucket", "_count", "_sum", "start_time_seconds")):
                assert after.samples[key] >= value, key
        assert change.get("requests_total") == change.get("total_seconds_count") == asked
        for client in clients:
            client.wait_closed()
        wait_until(lambda: Figures(server).get("open_sessions") == 0, "the end of the connections")
    assert_well_formed(server)


def test_prometheus_may_ask_with_an_empty_parameter(server):
    with Http1(server.address("plain")) as client:
        assert client.get("/h2-status?metrics=").headers["content-type"] == TEXT_TYPE


# -- what is made of them ---------------------------------------------------------------------------

OBSERVABILITY = env.CHECKOUT / "docs" / "observability"


def dashboard():
    return json.loads((OBSERVABILITY / "grafana-dashboard.json").read_text())


def dashboard_expressions():
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def alert_rules():
    """[(name, the lines of the rule)]."""
    parts = re.split(r"^      - alert: ", (OBSERVABILITY / "alerts.yml").read_text(), flags=re.M)[1:]
    return [(part.split()[0], part) for part in parts]


def assert_known(text, figures):
    """Are all metrics, and the values of their labels, there?"""
    names = {name for name, _ in figures.samples}
    values = {}
    for name, labels in figures.samples:
        for label, value in labels:
            values.setdefault((name, label), set()).add(value)
    for name, labels in re.findall(r"(mod_http2_\w+)(?:\{([^}]*)\})?", text):
        assert name in names, name
        for label, value in re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', labels):
            if label not in ("job", "instance"):
                assert set(value.split("|")) <= values[name, label], (name, label, value)
    for labels in re.findall(r"by \(([^)]*)\)", text):
        for label in set(labels.split(", ")) - {"instance", "le"}:
            assert label in {known for _, known in values}, label


def test_the_dashboard_shows_figures_that_there_are(server):
    expressions = dashboard_expressions()
    assert len(expressions) > 60
    figures = Figures(server, "text")
    for expression in expressions:
        assert_known(expression, figures)
    shown = set(re.findall(r"mod_http2_\w+", " ".join(expressions)))
    for name in {name for name, _ in figures.samples} - {"mod_http2_build_info"}:
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert any(other.startswith(family) for other in shown) or name.endswith(
            ("min_workers",)), name


def test_the_queries_of_the_dashboard_are_well_formed(tmp_path):
    rules = [{"record": "a:%d" % i, "expr": expression.replace("$__rate_interval", "1m")}
             for i, expression in enumerate(dashboard_expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert "%d rules found" % len(rules) in run_promtool("check", "rules", str(path))


def test_the_panels_of_the_dashboard_do_not_lie_on_each_other():
    places = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        covered = {(x, y) for x in range(place["x"], place["x"] + place["w"])
                   for y in range(place["y"], place["y"] + place["h"])}
        assert not covered & places, panel["title"]
        places |= covered
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)
    assert [v["type"] for v in dashboard()["templating"]["list"]][0] == "datasource"


def test_the_alert_rules_are_well_formed_and_of_figures_that_there_are(server):
    output = run_promtool("check", "rules", str(OBSERVABILITY / "alerts.yml"))
    assert "%d rules found" % len(alert_rules()) in output
    run_promtool("check", "config", str(OBSERVABILITY / "prometheus.yml"))
    figures = Figures(server, "text")
    for name, rule in alert_rules():
        assert_known(rule, figures)
        for key in ("summary", "look", "change"):
            assert re.search(r'^          %s: "\S.*"$' % key, rule, re.M), name


def test_directives_that_rules_and_panels_name_exist():
    known = set(re.findall(r"^### (H2\w+)$", (OBSERVABILITY.parent / "directives.md").read_text(),
                           re.M))
    for name in ("alerts.yml", "grafana-dashboard.json"):
        named = set(re.findall(r"\bH2[A-Z]\w+", (OBSERVABILITY / name).read_text()))
        assert len(named) > 5 and named <= known, named - known


# What makes each rule fire: series by the steps of a minute, as promtool writes them.
FIRING = {
    "ModHttp2RequestsWaitForThreads": {
        'wait_seconds_bucket{le="0.065535"}': "0+10x60", 'wait_seconds_bucket{le="+Inf"}': "0+600x60",
        'wait_seconds_bucket{le="0.524287"}': "0+600x60", "requests_total": "0+600x60"},
    "ModHttp2ThreadsExhausted": {
        "workers": "40x60", "spare_workers": "1x60", "max_workers": "40x60",
        "waiting_requests": "3x60"},
    "ModHttp2ServerErrors": {
        'responses_total{class="5xx"}': "0+10x60", "completed_total": "0+100x60"},
    "ModHttp2InternalErrors": {'resets_sent_total{error="internal_error"}': "0+1x60"},
    "ModHttp2SlowFirstByte": {
        'first_byte_seconds_bucket{le="2.097151"}': "0+10x60",
        'first_byte_seconds_bucket{le="4.194303"}': "0+600x60",
        'first_byte_seconds_bucket{le="+Inf"}': "0+600x60", "requests_total": "0+600x60"},
    "ModHttp2FloodsEnded": {'floods_total{cause="resets"}': "0+2x60"},
    "ModHttp2LimitsHit": {'limits_total{limit="H2MaxHeaderTime"}': "0+6x60"},
    "ModHttp2StreamsRefused": {"streams_refused_total": "0+5x60", "streams_total": "0+100x60"},
    "ModHttp2ProtocolErrors": {'goaways_sent_total{error="protocol_error"}': "0+3x60"},
    "ModHttp2ClientsStall": {"stall_seconds_total": "0+60x60", "total_seconds_sum": "0+100x60"},
    "ModHttp2PushesWasted": {"pushes_cancelled_total": "0+6x140", "pushes_total": "0+10x140"},
    "ModHttp2CountsLost": {"start_time_seconds": "1 2 3 4 4x60"},
    "ModHttp2Down": {"up": "0x60"},
}
AT = {"ModHttp2PushesWasted": 130, "ModHttp2CountsLost": 8}     # minutes; else 50


def rule_test(alert, rule, is_firing):
    labels = {"alertname": alert, "alertstate": "firing", "instance": "a",
              "severity": re.search(r"severity: (\w+)", rule).group(1)}
    series = []
    for name, values in FIRING[alert].items():
        name, _, more = name.partition("{")
        if not is_firing:
            values = "1x140" if alert == "ModHttp2Down" else "0x140"
        prefix = "" if name == "up" else "mod_http2_"
        series.append({"series": '%s%s{job="mod_http2",instance="a"%s' % (
            prefix, name, "," + more if more else "}"), "values": values})
        if more:
            labels.update(found for found in re.findall(r'(\w+)="([^"]*)"', more)
                          if found[0] in ("cause", "limit", "error")
                          and re.search(r"by \(instance, %s\)" % found[0], rule))
    text = "ALERTS{%s}" % ", ".join('%s="%s"' % pair for pair in sorted(labels.items()))
    if "job" not in text and not re.search(r"by \(instance", rule):
        text = text.replace('instance="a"', 'instance="a", job="mod_http2"')
    return {"interval": "1m", "input_series": series, "promql_expr_test": [{
        "expr": 'ALERTS{alertname="%s",alertstate="firing"}' % alert,
        "eval_time": "%dm" % AT.get(alert, 50),
        "exp_samples": [{"labels": text, "value": 1}] if is_firing else []}]}


@pytest.mark.parametrize("is_firing", [True, False], ids=["fires", "is-quiet"])
def test_each_alert_rule_fires_when_it_is_to(tmp_path, is_firing):
    rules = dict(alert_rules())
    assert set(rules) == set(FIRING)
    path = tmp_path / "test.yml"
    path.write_text(json.dumps({
        "rule_files": [str(OBSERVABILITY / "alerts.yml")], "evaluation_interval": "1m",
        "tests": [rule_test(alert, rules[alert], is_firing) for alert in FIRING]}))
    run_promtool("test", "rules", str(path))
