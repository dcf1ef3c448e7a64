# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The section of each directive says what the module does, and the man page and the HTML manual,
which are made of the pages, are whole."""

import html
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

import environment as env
from connections import open_client
from prose import ROOT, Page
from sections import LEADS, PAGE, ROWS, sections
from servers import PLAIN

SECTIONS = sections()
NAMES = [section.name for section in SECTIONS]
REFUSED = ("H2AltSvc", "H2AltSvcMaxAge", "H2Engine", "H2KeepAliveTimeout", "H2Timeout")
TOPICS = ("variables", "priorities", "interim-responses", "websockets", "server-push", "trailers",
          "grpc")
CONTEXTS = {
    "server config": "%s\n",
    "virtual host": "<VirtualHost *:1>\n%s\n</VirtualHost>\n",
    "directory": '<Directory "/srv">\n%s\n</Directory>\n',
}
SECTIONS_OF_DIRECTORIES = ('<Location "/a">\n%s\n</Location>\n', '<Files "a.html">\n%s\n</Files>\n',
                           '<If "true">\n%s\n</If>\n')
OVERRIDES = ("AuthConfig", "FileInfo", "Indexes", "Limit", "Options")
# Weights of H2PushPriority, which its syntax cannot say.
NOT_WITH_BEFORE = "H2PushPriority text/css before 16"

each = pytest.mark.parametrize("section", [pytest.param(s, id=s.name) for s in SECTIONS])


class Checker:
    """`httpd -t` for a few lines, with nothing loaded but what they need."""

    def __init__(self, folder, module):
        self.folder, self.module = folder, module

    def run(self, lines, *args):
        loads = "".join('LoadModule %s_module "%s/mod_%s.so"\n' % (name, env.modules_dir(), name)
                        for name in ("mpm_event", "authz_core", "authz_host", "proxy", "proxy_http")
                        if not env.is_static(name))
        config = self.folder / "httpd.conf"
        config.write_text('ServerName a.test\nServerRoot "%s"\nErrorLog "%s/error.log"\n'
                          'Listen 127.0.0.1:1\n%sLoadModule http2_module "%s"\n%s'
                          % (self.folder, self.folder, loads, self.module, lines))
        run = subprocess.run([env.httpd_binary(), "-f", config, *args], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, timeout=60)
        return run.returncode, run.stdout

    def takes(self, lines):
        code, output = self.run(lines, "-t")
        assert (code == 0) == output.endswith("Syntax OK\n"), output
        return code == 0

    def listed(self):
        """By name: the help text, and where the directive is allowed."""
        code, output = self.run("", "-L")
        assert code == 0, output
        return {name: (text, where) for name, text, where in re.findall(
            r"(?m)^(H2\w+) \(mod_http2\.c\)\n\t(.*)\n((?:\t.*\n)+)", output)}


@pytest.fixture(scope="module")
def httpd_t(tmp_path_factory):
    return Checker(tmp_path_factory.mktemp("check"), env.module_so())


@pytest.fixture(scope="module")
def listed(httpd_t):
    return httpd_t.listed()


# -- docs/directives.md ---------------------------------------------------------------------------


def test_each_directive_has_its_section_and_each_section_its_directive(listed):
    assert NAMES == sorted(set(listed) - set(REFUSED))
    assert set(REFUSED) <= set(listed)


def test_each_directive_is_listed_by_subject_once():
    text = PAGE.read_text()
    by_subject = text[text.index("## By subject"):text.index("## Which value holds")]
    assert sorted(re.findall(r"\[(H2\w+)\]\(#\w+\)", by_subject)) == NAMES
    assert all(anchor == name.lower()
               for name, anchor in re.findall(r"\[(H2\w+)\]\(#(\w+)\)", by_subject))


def test_those_that_are_refused_are_named():
    text = PAGE.read_text()
    refused = text[text.index("## Directives that are refused"):]
    assert set(re.findall(r"`(H2\w+)`", refused[:refused.index("\n## ", 3)])) == set(REFUSED)


@each
def test_a_section_has_all_parts_in_their_order(section):
    assert section.row_names == [row for row in ROWS if row in section.rows]
    assert set(ROWS[:4]) <= set(section.rows)
    places = [section.text.index("\n" + lead) for lead in LEADS]
    assert places == sorted(places) and len(section.text[:places[0]].split("\n\n")) >= 2
    assert section.name in section.example
    assert re.search(r"`test_\w+\.py::test_\w+`", section.text[places[-1]:])


@each
def test_its_example_loads(httpd_t, section):
    code, output = httpd_t.run(section.example, "-t")
    assert code == 0, output
    assert section.name == "H2SessionExtraFiles" or "http2:warn" not in output, output


@each
def test_it_is_allowed_where_its_section_says(httpd_t, listed, section):
    line = section.lines()[0]
    code, output = httpd_t.run("".join(CONTEXTS[name] % line for name in CONTEXTS
                                       if name in section.contexts), "-t")
    assert code == 0 and "has no effect in" not in output, output
    for frame in [CONTEXTS[name] for name in CONTEXTS if name not in section.contexts]:
        code, output = httpd_t.run(frame % line, "-t")
        is_without_effect = "%s has no effect in <VirtualHost>" % section.name in output
        assert (code == 0) == (section.is_accepted_everywhere or is_without_effect), output
    if "directory" in section.contexts or section.is_accepted_everywhere:
        assert httpd_t.takes("".join(frame % line for frame in SECTIONS_OF_DIRECTORIES))
    allowed = re.findall("|".join(OVERRIDES), listed[section.name][1])
    assert set(section.overrides) == set(allowed)
    assert bool(section.overrides) == (".htaccess" in section.rows["Context"])


@each
def test_each_form_of_its_syntax_is_taken_and_no_other(httpd_t, section):
    lines = section.lines()
    assert httpd_t.takes("\n".join(line for line in lines if line != NOT_WITH_BEFORE) + "\n")
    assert NOT_WITH_BEFORE not in lines or not httpd_t.takes(NOT_WITH_BEFORE)
    counts = [len(re.findall(r'"[^"]*"|\S+', line)) for line in lines]
    short = " ".join(re.findall(r'"[^"]*"|\S+', min(lines, key=len))[:-1])
    assert not httpd_t.takes(short), short
    longest = lines[counts.index(max(counts))]
    assert not httpd_t.takes(longest + " critical"), longest
    if "|" in section.rows["Syntax"] and "[`" not in section.rows["Syntax"]:
        words = lines[0].split(" ")
        words[1 if section.name != "H2PushPriority" else 2] = "sometimes"
        assert not httpd_t.takes(" ".join(words))


@each
def test_its_range_is_the_modules(httpd_t, section):
    limits = section.rows.get("Range", "")
    if limits.startswith("0 or a power of 2"):
        assert httpd_t.takes("".join("%s %d\n" % (section.name, n) for n in (0, 1, 2, 32768)))
        assert not any(httpd_t.takes("%s %d" % (section.name, n)) for n in (3, 100, 32769, 65536))
        return
    if "a time" in limits:
        good = ("5", "5s", "500ms", "2mi", "1h")
        assert httpd_t.takes("".join("%s %s\n" % (section.name, value) for value in good))
        for value in ("-1", "5x", "1d", "s"):
            assert not httpd_t.takes("%s %s" % (section.name, value)), value
        assert httpd_t.takes(section.name + " 0") == limits.startswith("0 ")
        return
    line = section.lines()[0].split(" ")
    for place, (low, high) in enumerate(section.ranges):
        place += len(line) - len(section.ranges)
        for value, is_taken in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
            words = [*line[:place], str(value), *line[place + 1:]]
            assert httpd_t.takes(" ".join(words)) == is_taken, words


@pytest.fixture(scope="module")
def dumped(httpd_t):
    """What `-D DUMP_H2` prints for a server without any directive."""
    code, output = httpd_t.run("", "-t", "-D", "DUMP_H2")
    assert code == 0, output
    return dict(re.findall(r"(?m)^    (H2\w+(?: at once)?) +(\S.*?) +default$", output))


# How a page says what DUMP_H2, or the help text, has shorter.
LONGER = {"1.5 x": "one and a half times", "for each loop": "for each event loop"}


@each
def test_its_default_is_the_modules(dumped, listed, section):
    default = section.words("Default")
    is_line = section.rows["Default"].startswith("`" + section.name)
    assert default.startswith(section.name + " ") == is_line
    default = default.replace(section.name + " ", "", 1)
    if section.name == "H2SessionExtraFiles":
        assert default == "none"
    elif section.name in dumped:
        value = re.sub(r"^(\d+)s$", r"\1", dumped[section.name])
        for short, long in LONGER.items():
            value = value.replace(short, long)
        assert value == default.split(" ")[0] or value in default, (value, default)
        burst = dumped.get(section.name + " at once")
        assert burst is None or burst in default
    else:
        assert default == re.search(r"\(default: (.+)\)$", listed[section.name][0])[1]


def test_directives_that_httpds_own_module_has_not_are_marked(tmp_path):
    others = env.modules_dir() / "mod_http2.so"
    if not others.is_file() or env.sanitizer:
        pytest.skip("httpd's own mod_http2 is not there as a file")
    theirs = Checker(tmp_path, others).listed()
    marked = [section.name for section in SECTIONS
              if section.rows.get("Compatibility") == "not in httpd's own module"]
    assert marked == [name for name in NAMES if name not in theirs]


def test_htaccess_files_may_have_what_the_sections_say(servers):
    """Each directive in a folder of its own for each class of AllowOverride."""
    folder = env.scratch_dir() / "overrides"
    config = 'Alias "/overrides" "%s"\n' % folder
    cases = []
    for section in SECTIONS:
        for override in OVERRIDES:
            place = folder / section.name / override
            place.mkdir(parents=True)
            (place / ".htaccess").write_text(section.lines()[0] + "\n")
            (place / "a.txt").write_text("a")
            config += '<Directory "%s">\nAllowOverride %s\n</Directory>\n' % (place, override)
            cases.append(("%s/%s" % (section.name, override), override in section.overrides))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    server = servers.get("overrides", "event", PLAIN + config)
    client = open_client(server, "clear")
    for path, is_allowed in cases:
        status = client.get("/overrides/%s/a.txt" % path).status
        assert status == (200 if is_allowed else 500), path
    server.new_errors()


# -- what is made of it ---------------------------------------------------------------------------


def make(name, file, **environment):
    if not shutil.which("pandoc"):
        pytest.skip("pandoc is not there: scripts/install-deps test")
    subprocess.run([ROOT / "scripts" / "manual", name, file], check=True,
                   env={**os.environ, **environment})
    return file.read_text()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("manual")


@pytest.fixture(scope="module")
def man_page(folder):
    make("mod_http2.7", folder / "mod_http2.7")
    return folder / "mod_http2.7"


@pytest.fixture(scope="module")
def web_page(folder):
    return make("mod_http2.html", folder / "mod_http2.html")


@pytest.fixture(scope="module")
def tree(web_page):
    """Well-formed as XML, which is more than browsers want."""
    tree = ElementTree.fromstring(web_page.split("\n", 1)[1])
    for element in tree.iter():
        element.tag = element.tag.rpartition("}")[2]
    return tree


def blocks_of_code():
    for page in ("directives", *TOPICS):
        text = Page("docs/%s.md" % page).text
        yield from re.findall(r"(?ms)^```\w+\n(.*?)^```$", text)


@pytest.mark.parametrize("name", ["mod_http2.7", "mod_http2.html"])
def test_two_builds_give_the_same_bytes(name, folder):
    first = make(name, folder / "first", TZ="UTC")
    assert make(name, folder / "second", TZ="Pacific/Auckland", LC_ALL="de_DE.UTF-8") == first
    assert re.search(r"\b20\d\d-\d\d-\d\d\b", first)
    assert "1985-10-26" in make(name, folder / "dated", SOURCE_DATE_EPOCH="499162800")


@pytest.mark.parametrize("name", ["mod_http2.7", "mod_http2.html"])
def test_it_has_the_version_and_nothing_of_the_tests(name, folder):
    text = make(name, folder / "text")
    version = re.search(r"AC_INIT\(\[mod_h2\], \[(.+?)\]\)", (ROOT / "configure.ac").read_text())[1]
    assert "mod_h2 " + version in text
    assert not re.search(r"Shown by|test_\w+\.py|\]\(|\$\w+\$", text)


def test_the_build_makes_the_same(man_page, web_page):
    built = [env.build_dir() / name for name in ("mod_http2.7", "mod_http2.html")]
    if not all(path.is_file() for path in built):
        pytest.skip("the module was built without the manual")
    assert [path.read_text() for path in built] == [man_page.read_text(), web_page]


def test_without_pandoc_the_build_goes_on_without_the_manual_and_says_so(tmp_path):
    configure = env.build_dir() / "src" / "configure"
    if not configure.is_file():
        pytest.skip("no configure there: scripts/test makes it")
    run = subprocess.run([configure], cwd=tmp_path, env={**os.environ, "ac_cv_path_PANDOC": ""},
                         stdout=subprocess.PIPE, text=True, check=True)
    assert "manual   none, as pandoc is missing" in run.stdout
    run = subprocess.run(["make", "-n", "all", "install"], cwd=tmp_path, stdout=subprocess.PIPE,
                         text=True, check=True)
    assert "mod_http2.la" in run.stdout and "scripts/manual" not in run.stdout
    assert "mod_http2.7" not in run.stdout


@pytest.mark.parametrize("command", [
    ["mandoc", "-T", "lint", "-W", "style"],
    ["groff", "-man", "-Tutf8", "-Kutf8", "-t", "-ww", "-z"],
    ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z"]], ids=lambda command: command[0])
def test_the_man_page_has_no_warnings(man_page, command):
    if not shutil.which(command[0]):
        pytest.skip(command[0] + " is not there: scripts/install-deps test")
    run = subprocess.run([*command, man_page], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, env={**os.environ, "MANWIDTH": "80"})
    assert run.returncode == 0 and run.stderr == ""
    assert command[0] != "mandoc" or run.stdout == ""


def test_the_man_page_is_found_by_its_name_and_words(man_page):
    if not shutil.which("lexgrog"):
        pytest.skip("man-db is not there: scripts/install-deps test")
    run = subprocess.run(["lexgrog", man_page], stdout=subprocess.PIPE, text=True, check=True)
    assert "mod_http2 - HTTP/2 for Apache httpd" in run.stdout


def test_the_man_page_has_each_directive_and_topic(man_page):
    source = man_page.read_text()
    assert [name for name in re.findall(r"(?m)^\.SS (H2\w+)$", source)] == NAMES
    headings = re.findall(r'(?m)^\.SH "?(.+?)"?$', source)
    assert headings[:3] == ["NAME", "SYNOPSIS", "DESCRIPTION"] and headings[-1] == "SEE ALSO"
    assert {topic.upper().replace("-", " ") for topic in TOPICS} <= set(headings)
    text = rendered(man_page)
    for section in SECTIONS:
        for row in section.rows:
            assert words_of("%s: %s" % (row, section.words(row))) in text, (section.name, row)
    for block in blocks_of_code():
        assert words_of(block) in text


def rendered(man_page):
    """Its words with one blank between them."""
    run = subprocess.run(["groff", "-man", "-Tutf8", "-Kutf8", "-P-cbou", "-rLL=1000n", man_page],
                         stdout=subprocess.PIPE, text=True, check=True)
    return words_of(run.stdout)


def words_of(text):
    for typeset, plain in (("‐", "-"), ("−", "-"), ("’", "'"), ("…", "...")):
        text = text.replace(typeset, plain)
    return re.sub(r"\s+", " ", text).strip()


def test_each_directive_has_its_box_in_html(tree):
    boxes = {}
    for element in tree.iter("section"):
        table = next(element.iter("table"))
        boxes[element.get("id")] = {
            "".join(row[0].itertext()).rstrip(":"): " ".join("".join(row[1].itertext()).split())
            for row in table.iter("tr")}
    assert list(boxes) == [name.lower() for name in NAMES]
    for section in SECTIONS:
        box = boxes[section.name.lower()]
        assert list(box) == [*section.rows, "Status", "Module"]
        assert box["Module"] == "mod_http2"
        for row in section.rows:
            assert box[row] == section.words(row)


def test_lists_beside_the_html_name_all_directives_and_topics(tree):
    links = [(a.get("href"), a.text) for a in tree.find(".//nav").iter("a")]
    assert links[-len(NAMES):] == [("#" + name.lower(), name) for name in NAMES]
    topics = [target for target, _ in links[:-len(NAMES)]]
    assert len(topics) == len(set(topics)) and {"#" + topic for topic in TOPICS} <= set(topics)


def test_each_link_of_the_html_leads_to_a_place_in_it(tree):
    ids = [element.get("id") for element in tree.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for link in tree.iter("a"):
        target = link.get("href")
        assert target[1:] in ids if target[0] == "#" else re.match(r"https://www\.(rfc|w3)", target)


def test_names_of_directives_in_the_html_are_links(tree):
    """Wherever they stand in the text, but in the directive's own section."""
    for part in tree.find(".//main"):
        own = part.find("h2/a").text if part.tag == "section" else None
        for paragraph in part.iter("p"):
            inner = [text for child in paragraph if child.tag in ("strong", "em")
                     for text in child.itertext()]
            words = [paragraph.text or "", *inner, *(child.tail or "" for child in paragraph)]
            names = set(re.findall(r"\bH2[A-Z]\w+", " ".join(words))) & set(NAMES)
            assert names <= {own}, " ".join(words)


def test_the_html_needs_nothing_from_elsewhere(tree, web_page):
    kinds = ("script", "link", "img", "iframe", "object")
    assert not [e.tag for e in tree.iter() if e.tag in kinds or e.get("src")]
    assert not re.search(r"url\(|@import|\bon\w+=", web_page)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1" />' in web_page
    assert "prefers-color-scheme: dark" in web_page and "max-width: 52rem" in web_page


def test_the_html_has_all_code_as_it_is(tree):
    shown = {"".join(element.itertext()).strip() for element in tree.iter("pre")}
    for block in blocks_of_code():
        assert html.unescape(block).strip() in shown


WIDTHS = (320, 400, 800, 1280)
FRAMES = """<!DOCTYPE html><body>%s<script>onload = () => {
    const frames = [...document.querySelectorAll("iframe")];
    const pages = frames.map(frame => frame.contentDocument.documentElement);
    const sizes = pages.map(page => page.clientWidth + " " + page.scrollWidth);
    document.body.textContent = sizes.join("; ");
}</script>""" % "".join(
    '<iframe src="mod_http2.html" style="border:0;width:%dpx;height:800px"></iframe>' % width
    for width in WIDTHS)


def test_the_html_is_no_wider_than_the_screen(web_page, folder):
    browser = shutil.which("chromium")
    if not browser:
        pytest.skip("chromium is not there: scripts/install-deps test")
    page = folder / "frames.html"
    page.write_text(FRAMES)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
               "--user-data-dir=%s" % (folder / "browser"), "--dump-dom"]
    run = subprocess.run([browser, *options, page.as_uri()], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True, timeout=120)
    sizes = re.findall(r"(\d+) (\d+)(?:;|<)", run.stdout)
    assert len(sizes) == len(WIDTHS), run.stdout
    for width, (page_width, needed) in zip(WIDTHS, sizes):
        assert width - 20 <= int(page_width) <= width and needed == page_width
