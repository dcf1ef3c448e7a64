# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Configurations as people write them load, wrong ones are refused with a sentence that helps.

The files are in test/configurations. Their first line says who writes such a thing; more lines of
comment after it say how to load it and what comes out:

    # modules: NAME...  what to load beyond the harness's own
    # mpm: NAME         event, unless given
    # also: httpd       loads with httpd's own mod_http2, too
    # warns: TEXT       a warning of our module; there are no others
    # starts: no        it asks for more threads than a machine has
    # error: TEXT       in wrong/: what httpd says and then ends
    # allow: WORDS      in htaccess/: AllowOverride
    # list: NAME...     in htaccess/: AllowOverrideList
    # status: CODE      in htaccess/: what a request gets (200, unless given)

Placeholders are those of the other tests' servers, and {configurations} is the folder.
"""

import re

import pytest

import environment as env
from conftest import open_client
from httpd import Httpd
from servers import SITE, VHOSTS

FOLDER = env.TEST_DIR / "configurations"
HEAD = re.compile(r"# (modules|mpm|also|warns|starts|error|allow|list|status): (.+)")

INT_MAX = 2147483647
REFUSED = ("H2AltSvc", "H2AltSvcMaxAge", "H2Engine", "H2KeepAliveTimeout", "H2Timeout")

# Sections, and modules that they need; %s is what is tried in them.
CONTEXTS = {
    "server": "%s",
    "VirtualHost": "<VirtualHost *:1>\n%s</VirtualHost>\n",
    "Directory": '<Directory "/srv">\n%s</Directory>\n',
    "DirectoryMatch": '<DirectoryMatch "^/srv/[a-z]+">\n%s</DirectoryMatch>\n',
    "Location": '<Location "/a">\n%s</Location>\n',
    "LocationMatch": '<LocationMatch "^/a+/">\n%s</LocationMatch>\n',
    "Files": '<Files "a.html">\n%s</Files>\n',
    "FilesMatch": '<FilesMatch "a$">\n%s</FilesMatch>\n',
    "If": '<If "true">\n%s</If>\n',
    "Proxy": '<Proxy "http://127.0.0.1:8000/">\n%s</Proxy>\n',
    "Location in VirtualHost":
        '<VirtualHost *:1>\n<Location "/a">\n%s</Location>\n</VirtualHost>\n',
    "Files in Directory": '<Directory "/srv">\n<Files "a">\n%s</Files>\n</Directory>\n',
}
SECTIONS = [name for name in CONTEXTS if name not in ("server", "VirtualHost")]

# A good value of each directive.
VALUES = {
    "H2Direct": "on", "H2Upgrade": "off", "H2MaxSessionStreams": "100", "H2WindowSize": "65535",
    "H2MaxFrameSize": "32768", "H2MaxHeaderListSize": "32768", "H2TuningProfile": "balanced",
    "H2StreamMaxMemSize": "65536", "H2MinWorkers": "4", "H2MaxWorkers": "32",
    "H2MaxWorkerIdleSeconds": "600", "H2ModernTLSOnly": "off", "H2TLSWarmUpSize": "0",
    "H2TLSCoolDownSecs": "2", "H2Padding": "4", "H2OutputBuffering": "off",
    "H2StreamTimeout": "30", "H2EarlyHints": "on",
    "H2EarlyHint": 'Link "</a.css>; rel=preload"', "H2CopyFiles": "on",
    "H2SessionExtraFiles": "5", "H2MaxDataFrameLen": "1400", "H2MaxHeaderBlockLen": "32768",
    "H2MaxStreamErrors": "4", "H2SerializeHeaders": "off", "H2ProxyRequests": "off",
    "H2Push": "off", "H2PushDiarySize": "128", "H2PushPriority": "text/css before",
    "H2PushResource": "/a.css critical", "H2WebSockets": "off", "H2PriorityHeaders": "on",
    "H2MaxResets": "50 500", "H2MaxClientErrors": "5", "H2MaxControlFrames": "200 400",
    "H2MaxHeaderTime": "5s", "H2MinRequestRate": "500", "H2MinResponseRate": "0",
    "H2MaxConnectionRequests": "10000", "H2MaxConnectionTime": "1h",
    "H2ServerTiming": "on",
}
OF_DIRECTORIES = ("H2Upgrade", "H2OutputBuffering", "H2StreamTimeout", "H2EarlyHints",
                  "H2EarlyHint", "H2CopyFiles", "H2ProxyRequests", "H2Push", "H2PushResource",
                  "H2PriorityHeaders", "H2ServerTiming")
OURS_ALONE = ("H2PriorityHeaders", "H2MaxFrameSize", "H2MaxHeaderListSize", "H2TuningProfile",
              "H2MaxResets", "H2MaxClientErrors", "H2MaxControlFrames", "H2MaxHeaderTime",
              "H2MinRequestRate", "H2MinResponseRate", "H2MaxConnectionRequests",
              "H2MaxConnectionTime", "H2ServerTiming")
TWO_VALUES = ("H2MaxResets", "H2MaxClientErrors", "H2MaxControlFrames")
OF_SERVERS = [name for name in VALUES if name not in OF_DIRECTORIES]
FLAGS = [name for name, value in VALUES.items() if value in ("on", "off")]
RANGES = {
    "H2MaxSessionStreams": (1, INT_MAX), "H2WindowSize": (1024, INT_MAX),
    "H2MaxFrameSize": (16384, 2 ** 24 - 1), "H2MaxHeaderListSize": (4096, 2 ** 24),
    "H2StreamMaxMemSize": (1024, INT_MAX), "H2MinWorkers": (1, 65535), "H2MaxWorkers": (1, 65535),
    "H2TLSWarmUpSize": (0, 2 ** 63 - 1),
    "H2TLSCoolDownSecs": (0, INT_MAX), "H2Padding": (0, 8), "H2SessionExtraFiles": (0, INT_MAX),
    "H2MaxDataFrameLen": (0, 2 ** 24 - 1), "H2MaxHeaderBlockLen": (0, INT_MAX),
    "H2MaxStreamErrors": (0, INT_MAX), "H2MaxResets": (0, INT_MAX),
    "H2MaxClientErrors": (0, INT_MAX), "H2MaxControlFrames": (0, INT_MAX),
    "H2MinRequestRate": (0, INT_MAX), "H2MinResponseRate": (0, INT_MAX),
    "H2MaxConnectionRequests": (0, INT_MAX),
}
NOT_NUMBERS = ("abc", "1x", "0x10", "64k", "+5", "1.5", "5 ", "1,000", "on")

# Lines and what httpd says to them: values that are neither a number's nor a flag's.
ORDER = "after, before or interleaved"
ORDER_OR_WEIGHT = ORDER + ", or a weight"
PATH = "the path of a resource such as /style.css"
IDLE = "a time of more than 0 in s, ms, mi or h, such as 600 or 10mi"
TIME = "a time from 0 (without end) in s, ms, mi or h, such as 30 or 500ms"
LIMIT = "a time from 0 (no limit) in s, ms, mi or h, such as 30 or 1h"
NAME = "the name of a field, RFC 9110, 5.1"
PROFILES = "conservative, balanced or high-concurrency"
WITHOUT = "left out: with before the weight is that of the client's request"
WRONG_VALUES = [
    ("H2MaxWorkerIdleSeconds 0", "'0'", IDLE),
    ("H2MaxWorkerIdleSeconds -1", "'-1'", IDLE),
    ("H2MaxWorkerIdleSeconds long", "'long'", IDLE),
    ("H2StreamTimeout -1", "'-1'", TIME),
    ("H2StreamTimeout soon", "'soon'", TIME),
    ("H2StreamTimeout 5x", "'5x'", TIME),
    ("H2StreamTimeout 30S", "'30S'", TIME),
    ("H2StreamTimeout 2m", "'2m'", TIME),
    ("H2StreamTimeout 100us", "'100us'", TIME),
    ('H2StreamTimeout " "', "' '", TIME),
    ("H2MaxHeaderTime -1", "'-1'", LIMIT),
    ("H2MaxHeaderTime soon", "'soon'", LIMIT),
    ("H2MaxConnectionTime 1d", "'1d'", LIMIT),
    ("H2MaxResets 20 0", "'0'", "a number from 1 to 2147483647"),
    ("H2MaxResets 20 many", "'many'", "a number from 1 to 2147483647"),
    ("H2MaxControlFrames 100/s", "'100/s'", "a number from 0 to 2147483647"),
    ("H2TuningProfile fast", "'fast'", PROFILES),
    ("H2TuningProfile off", "'off'", PROFILES),
    ('H2TuningProfile "balanced "', "'balanced '", PROFILES),
    ("H2TuningProfile high_concurrency", "'high_concurrency'", PROFILES),
    ("H2PushDiarySize -1", "'-1'", "0 or a power of 2 up to 32768"),
    ("H2PushDiarySize 255", "'255'", "0 or a power of 2 up to 32768"),
    ("H2PushDiarySize 3", "'3'", "0 or a power of 2 up to 32768"),
    ("H2PushDiarySize 65536", "'65536'", "0 or a power of 2 up to 32768"),
    ("H2PushDiarySize many", "'many'", "0 or a power of 2 up to 32768"),
    ("H2PushPriority text/css first", "'first'", ORDER_OR_WEIGHT),
    ("H2PushPriority text/css -1", "'-1'", ORDER_OR_WEIGHT),
    ("H2PushPriority text/css 16 16", "'16'", ORDER),
    ("H2PushPriority text/css 16 after", "'16'", ORDER),
    ("H2PushPriority text/css before 16", "'16'", WITHOUT),
    ("H2PushPriority text/css 0", "'0'", "a number from 1 to 512"),
    ("H2PushPriority text/css 513", "'513'", "a number from 1 to 512"),
    ("H2PushPriority text/css after 0", "'0'", "a number from 1 to 512"),
    ("H2PushPriority text/css after 513", "'513'", "a number from 1 to 512"),
    ("H2PushPriority text/css after much", "'much'", "a number from 1 to 512"),
    ("H2PushPriority text/css interleaved 0", "'0'", "a number from 1 to 512"),
    ("H2PushPriority text/css interleaved 513", "'513'", "a number from 1 to 512"),
    ("H2PushResource /a.css soon", "'soon'", "critical, or left out"),
    ("H2PushResource /a.css add", "'add'", "critical, or left out"),
    ("H2PushResource add /a.css soon", "'soon'", "critical, or left out"),
    ("H2PushResource /a.css /b.css critical", "'/a.css'", "add where three words are given"),
    ("H2PushResource remove /a.css critical", "'remove'", "add where three words are given"),
    ("H2PushResource </a.css>", "'</a.css>'", PATH),
    ('H2PushResource "/a b.css"', "'/a b.css'", PATH),
    ('H2PushResource "add" " "', "' '", PATH),
    ("H2EarlyHint Link: </a.css>", "'Link:'", NAME),
    ('H2EarlyHint "Li nk" </a.css>', "'Li nk'", NAME),
    # httpd escapes them in what it prints
    ('H2EarlyHint "Link" "a\tb\x7f"', r"'a\tb\x7f'",
     "the value of a field, without control characters"),
]

# What only httpd's own module takes: ours is stricter on purpose.
STRICTER = [
    "H2MaxSessionStreams 3x", "H2MaxSessionStreams +5", "H2MaxSessionStreams 10000000000",
    "H2WindowSize 65535b", "H2MinWorkers 65536", "H2MaxWorkers 65536", "H2TLSWarmUpSize -1",
    "H2TLSCoolDownSecs -1", "H2SessionExtraFiles -1", "H2SessionExtraFiles many",
    "H2SerializeHeaders maybe", "H2MaxDataFrameLen 16777216", "H2PushPriority text/css interleaved 513",
    'H2PushResource "/a b.css"', "H2PushResource </a.css>", "H2EarlyHint Link: </a.css>",
]

# How many words: what httpd says of its own accord, with our help text.
WORDS = {12: "takes 1-2 arguments, ", 1: "takes one argument, ", 2: "takes two arguments, ",
         23: "takes two or three arguments, ", 123: "takes one, two or three arguments, "}
WRONG_COUNTS = [(name, WORDS[1]) for name in VALUES
                if name not in ("H2EarlyHint", "H2PushPriority", "H2PushResource", *TWO_VALUES)]
WRONG_COUNTS += [(name + words, WORDS[12]) for name in TWO_VALUES for words in ("", " 1 2 3")]
WRONG_COUNTS += [(name + " on off", WORDS[1]) for name in FLAGS]
WRONG_COUNTS += [(name + " 1024 2048", WORDS[1]) for name in RANGES
                 if name not in TWO_VALUES]
WRONG_COUNTS += [
    ("H2TuningProfile high concurrency", WORDS[1]),
    ("H2StreamTimeout 5 s", WORDS[1]), ("H2PushDiarySize 256 256", WORDS[1]),
    ("H2EarlyHint", WORDS[2]), ("H2EarlyHint Link", WORDS[2]),
    ("H2EarlyHint Link </a>; rel=preload", WORDS[2]),
    ("H2PushPriority", WORDS[23]), ("H2PushPriority text/css", WORDS[23]),
    ("H2PushPriority text/css after 16 32", WORDS[23]),
    ("H2PushResource", WORDS[123]), ("H2PushResource add /a.css critical now", WORDS[123]),
    ("H2PushResource /a /b /c /d", WORDS[123]),
]

ADVICE = {
    "H2AltSvc": 'send the field with "Header set Alt-Svc" of mod_headers',
    "H2AltSvcMaxAge": 'send the field with "Header set Alt-Svc" of mod_headers',
    "H2Engine": 'use "Protocols h2 h2c http/1.1"',
    "H2KeepAliveTimeout": "use KeepAliveTimeout",
    "H2Timeout": "use Timeout, or H2StreamTimeout for a request",
}


class Sample:
    """One of the files."""

    def __init__(self, path):
        self.name = path.stem
        self.text = path.read_text()
        lines = self.text.splitlines()
        self.who = lines[0]
        self.warnings, self.said = [], {}
        for line in lines[1:]:
            match = HEAD.fullmatch(line)
            if not match:
                break
            if match[1] == "warns":
                self.warnings.append(match[2])
            else:
                self.said[match[1]] = match[2]
        self.modules = self.said.get("modules", "").split()
        self.mpm = self.said.get("mpm", "event")

    @property
    def directives(self):
        """Those of our module that it has, in lower case as httpd compares them."""
        return {word.lower() for word in re.findall(r"(?im)^\s*\"?(h2\w+)", self.text)}


def samples(folder, pattern="*.conf"):
    return [Sample(path) for path in sorted((FOLDER / folder).glob(pattern))]


GOOD, WRONG = samples(""), samples("wrong")
HTACCESS = samples("htaccess", "*.htaccess")


def each(found):
    return pytest.mark.parametrize("sample", [pytest.param(s, id=s.name) for s in found])


class Checked(Httpd):
    """An httpd that only looks at its configuration, with our module or with another file."""

    def __init__(self, name, servers, config="", mpm="event", modules=(), module=None, lean=False):
        config = servers.expand_site(config).replace("{configurations}", str(FOLDER))
        super().__init__(name, mpm, config, servers.docroot, modules, certs=servers.certs)
        self.module = module or env.module_so()
        if lean:            # it is there in half of the time
            self.modules = ["mpm_" + mpm, "authz_core", "mime", "unixd", "log_config", "logio",
                            *modules]
        if not env.is_static("version"):    # as Debian has it
            self.modules.append("version")

    def _config_text(self):
        text = super()._config_text().replace('"%s"' % env.module_so(), '"%s"' % self.module)
        return text if "ssl" in self.modules else text.replace(" ssl:warn", "", 1)


@pytest.fixture(scope="module")
def others():
    """httpd's own module."""
    path = env.modules_dir() / "mod_http2.so"
    if not path.is_file() or env.sanitizer:
        pytest.skip("httpd's own mod_http2 is not there as a file")
    return path


@pytest.fixture(scope="module")
def ours_checked(servers):
    """For lines tried one by one."""
    return Checked("check", servers, modules=["proxy"], lean=True)


@pytest.fixture(scope="module")
def others_checked(servers, others):
    return Checked("check-others", servers, modules=["proxy"], module=others, lean=True)


def without_stamp(line):
    """A line of the log without the date, the level and the process, as in [http2:warn]."""
    return re.sub(r"^\[[^]]+\] \[\w*:\w+\] \[pid [^]]+\] (\[[^]]+\] )?", "", line)


def refusal(output):
    """What httpd says about the line that it does not take."""
    lines = output.splitlines()
    assert re.match(r"AH00526: Syntax error on line \d+ of ", lines[-2]), output
    return lines[-1]


def needs(sample):
    for module in sample.modules:
        if not env.has_module(module):
            pytest.skip("httpd has no mod_" + module)


def assert_warnings(lines, sample):
    seen = sorted(map(without_stamp, lines))
    assert len(seen) == len(sample.warnings), lines
    for line, text in zip(seen, sorted(sample.warnings)):
        assert line.startswith(text), lines


# -- good configurations --------------------------------------------------------------------------


@each(GOOD)
def test_a_configuration_loads_with_the_warnings_that_it_names_and_no_others(servers, sample):
    needs(sample)
    server = Checked("sample", servers, sample.text, sample.mpm, sample.modules)
    code, output = server.check()
    *warnings, last = output.splitlines()
    assert code == 0 and last == "Syntax OK", output
    assert all("[http2:warn]" in line for line in warnings), output
    assert_warnings(warnings, sample)


@each([s for s in GOOD if s.said.get("starts") != "no"])
def test_it_starts_with_the_same_warnings_and_no_others(servers, sample):
    needs(sample)
    server = Checked("started", servers, sample.text, sample.mpm, sample.modules).start()
    log = server.errors()
    server.stop()
    seen = [line for line in log.splitlines()
            if re.match(r"\[[^]]+\] \[http2:(warn|error|crit|alert|emerg)\]", line)]
    assert_warnings(seen, sample)
    assert log.count("AH03090: mod_http2 (v") == 1
    assert not server.health_problems()


@each([s for s in GOOD if s.said.get("also") == "httpd"])
def test_it_loads_with_httpds_own_module_too(servers, others, sample):
    needs(sample)
    server = Checked("others", servers, sample.text, sample.mpm, sample.modules, module=others)
    code, output = server.check()
    assert code == 0 and output.endswith("Syntax OK\n"), output


def test_each_file_says_who_writes_it():
    for sample in GOOD + WRONG + HTACCESS:
        assert re.fullmatch(r"# [A-Za-z].{15,}\.", sample.who), sample.name
    assert len(GOOD) >= 70 and len({sample.text for sample in GOOD}) == len(GOOD)


def test_the_files_use_each_directive(ours_checked):
    used = set().union(*(sample.directives for sample in GOOD))
    assert {name.lower() for name in listed(ours_checked) if name not in REFUSED} <= used


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANGES)
def test_a_number_that_is_not_allowed_is_named_with_its_range(ours_checked, name):
    low, high = RANGES[name]
    for value in (low - 1, high + 1, -1, 10 ** 30, *NOT_NUMBERS):
        code, output = ours_checked.check('%s "%s"\n' % (name, value))
        assert code != 0, "%s is accepted" % value
        assert refusal(output) == "%s: '%s' is not allowed, must be a number from %d to %d" % (
            name, value, low, high)


@pytest.mark.parametrize("name", FLAGS)
def test_a_word_that_is_not_a_flags_is_named(ours_checked, name):
    for value in ("maybe", "1", "yes", "true", "o", "onn", "on "):
        code, output = ours_checked.check('%s "%s"\n' % (name, value))
        assert code != 0, "%s is accepted" % value
        assert refusal(output) == "%s: '%s' is not allowed, must be on or off" % (name, value)


@pytest.mark.parametrize("line, value, allowed", WRONG_VALUES)
def test_a_value_that_is_not_allowed_is_named_with_what_is(ours_checked, line, value, allowed):
    code, output = ours_checked.check(line + "\n")
    name = line.split()[0]
    assert code != 0
    assert refusal(output) == "%s: %s is not allowed, must be %s" % (name, value, allowed)


@pytest.mark.parametrize("line, words", WRONG_COUNTS)
def test_too_few_and_too_many_words_are_refused_with_the_help_text(ours_checked, line, words):
    code, output = ours_checked.check(line + "\n")
    name = line.split()[0]
    assert code != 0
    assert refusal(output) == "%s %s%s" % (name, words, listed(ours_checked)[name][0])


@pytest.mark.parametrize("name", REFUSED)
def test_a_directive_of_the_past_is_refused_with_advice_wherever_it_is(ours_checked, name):
    tried = [(context, " on") for context in CONTEXTS] + \
        [("server", words) for words in ("", " 1 2 3", ' h2=":443"')]
    for context, words in tried:
        said = accepts(ours_checked, context, name + words + "\n")
        assert said == "%s is no longer supported: %s" % (name, ADVICE[name]), context


@each(WRONG)
def test_a_wrong_configuration_is_refused_with_what_the_file_says(servers, sample):
    server = Checked("wrong", servers, sample.text, sample.mpm, sample.modules)
    code, output = server.check()
    assert code != 0 and "Syntax OK" not in output
    assert refusal(output) == sample.said["error"]
    number = re.search(r"error on line (\d+) of %s:$" % server.config_file, output, re.M)
    if number:                  # else it is in a macro
        at_fault = server.config_file.read_text().splitlines()[int(number[1]) - 1]
        assert at_fault.split()[0] in sample.said["error"]


# -- contexts -------------------------------------------------------------------------------------


def accepts(server, context, lines):
    """None or what httpd says."""
    code, output = server.check(CONTEXTS[context] % lines)
    return None if code == 0 else refusal(output)


@pytest.mark.parametrize("context", CONTEXTS)
def test_directives_may_stand_where_the_documentation_says(ours_checked, context):
    for name, value in VALUES.items():
        if context in SECTIONS and name not in OF_DIRECTORIES:
            continue
        said = accepts(ours_checked, context, "%s %s\n" % (name, value))
        assert said is None, said


@pytest.mark.parametrize("context", SECTIONS)
def test_directives_of_servers_are_refused_in_sections(ours_checked, context):
    section = context.split()[0]
    for name in OF_SERVERS:
        said = accepts(ours_checked, context, "%s %s\n" % (name, VALUES[name]))
        assert said == "%s not allowed in <%s> context" % (name, section)


def taken(server, name):
    """The contexts in which it takes a directive."""
    line = "%s %s\n" % (name, VALUES[name])
    found = ["server", "VirtualHost"]
    if "only outside <Directory>" not in listed(server)[name][1]:
        found += SECTIONS
    if server.check("".join(CONTEXTS[context] % line for context in found))[0] == 0:
        return found
    return [context for context in found if accepts(server, context, line) is None]


@pytest.mark.parametrize("name", [name for name in VALUES if name not in OURS_ALONE])
def test_where_httpds_own_module_takes_a_directive_ours_does(ours_checked, others_checked, name):
    line = "%s %s\n" % (name, VALUES[name])
    contexts = taken(others_checked, name)
    assert contexts
    for context in contexts:
        said = accepts(ours_checked, context, line)
        assert said is None, "%s: %s" % (context, said)


@pytest.mark.parametrize("line", STRICTER)
def test_ours_is_stricter_where_it_is_meant_to_be(ours_checked, others_checked, line):
    assert accepts(others_checked, "server", line + "\n") is None
    assert accepts(ours_checked, "server", line + "\n")


def test_ours_knows_each_directive_of_httpds_own_module(ours_checked, others_checked):
    theirs, ours = listed(others_checked), listed(ours_checked)
    assert set(theirs) <= set(VALUES) and set(theirs) <= set(ours)
    for name, (_, where) in theirs.items():
        for word in re.findall(r"\.htaccess|AuthConfig|FileInfo", where):
            assert word in ours[name][1], name


@pytest.mark.parametrize("name, text", [
    ("H2MinWorkers", "H2MinWorkers has no effect in <VirtualHost>"),
    ("H2MaxWorkers", "H2MaxWorkers has no effect in <VirtualHost>"),
    ("H2MaxWorkerIdleSeconds", "H2MaxWorkerIdleSeconds has no effect in <VirtualHost>"),
    ("H2SessionExtraFiles", "H2SessionExtraFiles has no effect"),
])
def test_what_has_no_effect_in_a_vhost_is_accepted_with_a_warning(ours_checked, name, text):
    code, output = ours_checked.check(CONTEXTS["VirtualHost"] % "%s %s\n" % (name, VALUES[name]))
    assert code == 0 and text in output, output


# -- .htaccess ------------------------------------------------------------------------------------

HTACCESS_SITE = SITE + VHOSTS + 'Alias /htaccess/ "{site}/"\n'


@pytest.fixture(scope="module")
def htaccess(servers):
    """A server with a folder for each of the files; it reads them with each request."""
    site = env.scratch_dir() / "htaccess-site"
    config = HTACCESS_SITE
    for sample in HTACCESS:
        folder = site / sample.name
        folder.mkdir(parents=True)
        (folder / ".htaccess").write_text(sample.text)
        (folder / "page.txt").write_text(sample.name)
        config += '<Directory "%s">\nAllowOverride %s\n' % (folder, sample.said["allow"])
        if "list" in sample.said:
            config += "AllowOverrideList %s\n" % sample.said["list"]
        config += "</Directory>\n"
    # httpd's children run as another user
    for path in (site, *site.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return servers.get("htaccess", "event", config.replace("{site}", str(site)))


@each(HTACCESS)
def test_an_htaccess_file_does_what_it_says(htaccess, sample):
    htaccess.new_errors()
    client = open_client(htaccess, "clear")
    response = client.get("/htaccess/%s/page.txt" % sample.name)
    status = int(sample.said.get("status", "200"))
    assert response.complete and response.status == status
    log = htaccess.new_errors()
    if status == 200:
        assert response.body == sample.name.encode() and "[http2:" not in log
    else:
        assert ".htaccess: " + sample.said["error"] in log, log


# -- what httpd tells about the module ------------------------------------------------------------


def listed(server):
    """By name: the help text, and where the directive is allowed, from `httpd -L`."""
    code, output = server.run("-L")
    assert code == 0, output
    return {name: (text, where) for name, text, where in re.findall(
        r"(?m)^(H2\w+) \(mod_http2\.c\)\n\t(.*)\n((?:\t.*\n)+)", output)}


def test_httpd_lists_each_directive_with_a_text_that_explains_it(ours_checked):
    directives = listed(ours_checked)
    assert set(directives) == {*VALUES, *REFUSED}
    for name, (text, _) in directives.items():
        if name in REFUSED:
            assert text == "no longer supported: " + ADVICE[name]
            continue
        assert len(text) >= 20 and re.search(r"\(default: .+\)|has no effect", text), name
        assert not re.search(r"\.$|  |%", text), name
        if name in FLAGS:
            assert text.startswith("on|off: "), name
        elif name in RANGES and name != "H2SessionExtraFiles":
            low, high = RANGES[name]
            assert re.search(r"\b%d( \([^)]*\))? to %d\b" % (low, high), text), name
            assert re.search("bytes|seconds|requests|threads|bits|errors|streams|frames", text), name
    assert "s, ms, mi or h" in directives["H2StreamTimeout"][0]
    assert "32768" in directives["H2PushDiarySize"][0]


def test_httpd_lists_where_each_directive_is_allowed(ours_checked):
    for name, (_, where) in listed(ours_checked).items():
        if name in OF_SERVERS:
            assert "only outside <Directory>, <Files>, <Location>, or <If>" in where, name
        else:
            assert "anywhere" in where, name


@pytest.mark.parametrize("args", [("-M",), ("-t", "-D", "DUMP_MODULES")])
def test_httpd_names_the_module(ours_checked, args):
    code, output = ours_checked.run(*args)
    assert code == 0 and output.count(" http2_module (shared)\n") == 1, output


@pytest.mark.parametrize("args", [("-S",), ("-t", "-D", "DUMP_VHOSTS")])
def test_httpd_shows_vhosts_with_http2(servers, args):
    server = Checked("vhosts", servers, VHOSTS)
    code, output = server.run(*args)
    assert code == 0, output
    for port in server.ports.values():
        assert re.search(r"\*:%d +a\.test " % port, output), output


def test_mod_info_shows_the_directives_as_they_are_written(servers):
    server = Checked("info", servers, modules=["info"])
    code, output = server.run("-t", "-D", "DUMP_CONFIG", extra="".join(
        "%s %s\n" % item for item in VALUES.items()))
    assert code == 0, output
    for name, value in VALUES.items():
        assert re.search(r"(?m)^%s %s$" % (name, re.escape(value)), output), name


def test_loading_the_module_twice_is_httpds_usual_warning(ours_checked):
    line = 'LoadModule http2_module "%s"\n' % env.module_so()
    code, output = ours_checked.check(line + "H2Push off\n")
    assert code == 0 and "module http2_module is already loaded, skipping" in output


def test_the_start_up_line_comes_once_and_names_versions(htaccess):
    lines = [line for line in htaccess.errors().splitlines() if "AH03090" in line]
    assert len(lines) == 1
    assert re.search(r"\] \[http2:info\] \[pid \d+:tid \d+\] AH03090: mod_http2 "
                     r"\(v\d+\.\d+\.\d+\S*, feats=\S+, nghttp2 1\.\d+\.\d+\), initializing\.\.\.$",
                     lines[0])
