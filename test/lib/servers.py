# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The servers of a test run: each configuration is started once for each MPM and then kept."""

import contextlib
import itertools

import environment as env
from backend import Backend
from counters import Counters
from demosite import make_certificate, make_site
from httpd import Httpd

FAILURES_KEPT = 20      # folders of servers of failed tests

SITE_MODULES = ["alias", "autoindex", "negotiation", "include", "filter", "deflate", "headers",
                "rewrite", "env", "setenvif", "auth_basic", "authn_core", "authn_file",
                "authz_user", "proxy", "proxy_http", "status", "socache_shmcb", "reqtimeout"]

# A vhost on the TLS port; {tls} is expanded by the caller of a server's configuration.
TLS = """
SSLEngine on
SSLCertificateFile "{certs}/cert.pem"
SSLCertificateKeyFile "{certs}/key.pem"
SSLCipherSuite ALL
SSLHonorCipherOrder off
"""

# What every server serves.
SITE = """
LoadModule h2test_module "{h2test}"
H2TestDir "{test_dir}"
ScriptAlias /cgi/ "{docroot}/../cgi/"
ProxyPass /proxy/ http://127.0.0.1:{backend}/
SSLSessionCache none
ExtendedStatus On
<Directory "{docroot}/../cgi">
    Options +ExecCGI
    SSLOptions +StdEnvVars
</Directory>
# httpd drops a script's Content-Length unless it is told to trust it.
<LocationMatch ^/cgi/(short|halves)>
    SetEnv ap_trust_cgilike_cl yes
</LocationMatch>
<Location /h2test/>
    SetHandler h2test
</Location>
<Location /server-status>
    SetHandler server-status
</Location>
"""

# The usual two vhosts, for servers with special settings.
VHOSTS = """
<VirtualHost *:{port_tls}>
    ServerName a.test
    Protocols h2 http/1.1
    {tls}
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName a.test
    Protocols h2c http/1.1
</VirtualHost>
"""
PLAIN = SITE + VHOSTS

MAIN = SITE + """
Timeout 20
KeepAliveTimeout 20
<VirtualHost *:{port_tls}>
    ServerName a.test
    Protocols h2 http/1.1
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName h1.test
    Protocols http/1.1
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName h2only.test
    Protocols h2
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName first-h1.test
    Protocols http/1.1 h2
    ProtocolsHonorOrder on
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName client-order.test
    Protocols http/1.1 h2
    ProtocolsHonorOrder off
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName old-tls.test
    Protocols h2 http/1.1
    H2ModernTLSOnly off
    {tls}
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName a.test
    Protocols h2c http/1.1
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName h1.test
    Protocols http/1.1
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName no-upgrade.test
    Protocols h2c http/1.1
    H2Upgrade off
</VirtualHost>
<VirtualHost *:{port_plain}>
    ServerName a.test
    Protocols http/1.1
</VirtualHost>
<VirtualHost *:{port_banner}>
    ServerName a.test
    Protocols http/1.1
    H2TestBanner on
</VirtualHost>
<VirtualHost *:{port_nodirect}>
    ServerName a.test
    Protocols h2c http/1.1
    H2Direct off
</VirtualHost>
<Directory "{docroot}/listing">
    Options +Indexes
    IndexOptions FancyIndexing
</Directory>
<Directory "{docroot}/negotiated">
    Options +MultiViews
    AddLanguage en .en
    AddLanguage de .de
    LanguagePriority en de
    ForceLanguagePriority Prefer Fallback
</Directory>
<Directory "{docroot}/ssi">
    Options +Includes
    AddType text/html .shtml
    AddOutputFilter INCLUDES .shtml
</Directory>
<Directory "{docroot}/htaccess">
    AllowOverride All
</Directory>
<Directory "{docroot}/auth">
    AuthType Basic
    AuthName "the realm"
    AuthUserFile "{docroot}/auth.passwd"
    Require valid-user
</Directory>
<Directory "{docroot}/headers">
    Header set X-Response "%{REQUEST_SCHEME}e is set" "expr=true"
    Header add X-Many one
    Header add X-Many two
    Header unset Last-Modified
    RequestHeader set X-Request "from mod_headers"
</Directory>
<Location /proxy/>
    RequestHeader set X-Request "from mod_headers"
</Location>
<Location /errors/with-document/>
    ErrorDocument 404 /errors/404.html
</Location>
<Location /errors/with-text/>
    ErrorDocument 404 "nothing of that name"
</Location>
<Location /errors/with-cgi/>
    ErrorDocument 404 /cgi/env
</Location>
<Location /h2test/deflated/>
    SetOutputFilter DEFLATE
</Location>
<Location /h2test/limited/>
    LimitRequestBody 1000
</Location>
Alias /deflate/ "{docroot}/"
<Location /deflate/>
    SetOutputFilter DEFLATE
</Location>
Alias /brotli/ "{docroot}/"
{brotli}
"""


class Servers:
    """Starts servers on demand; all of them share the site, its certificate and the back end."""

    def __init__(self):
        scratch = env.scratch_dir()
        self.certs = make_certificate(scratch / "certs")
        self.docroot = make_site(scratch / "site")
        self.backend = Backend()
        self.counters = Counters(scratch / "h2test")
        self._running = {}
        self._failures = itertools.count(1)

    def expand_site(self, config):
        """Fills in what is the same for each server; the rest is left to Httpd."""
        brotli = "<Location /brotli/>\nSetOutputFilter BROTLI_COMPRESS\n</Location>"
        for name, value in (("tls", TLS), ("h2test", env.test_module("mod_h2test")),
                            ("test_dir", self.counters.folder), ("backend", self.backend.port),
                            ("brotli", brotli if env.has_module("brotli") else "")):
            config = config.replace("{%s}" % name, str(value))
        return config

    def new(self, name, mpm, config=MAIN, modules=(), cgi="cgid", **settings):
        """A server that is not started and not kept."""
        optional = ["brotli"] if env.has_module("brotli") else []
        return Httpd("%s-%s" % (name, mpm), mpm, self.expand_site(config), self.docroot,
                     [*SITE_MODULES, *optional, cgi, *modules], certs=self.certs, **settings)

    def get(self, name, mpm, config=MAIN, **settings):
        """The server of that name and MPM, started if it does not run."""
        key = (name, mpm)
        if key not in self._running:
            self._running[key] = self.new(name, mpm, config, **settings).start()
        return self._running[key]

    def main(self, mpm):
        """The one with the rich configuration."""
        # The worker MPM needs a thread for each connection.
        return self.get("main", mpm, ports=("tls", "clear", "plain", "banner", "nodirect"),
                        threads=64 if mpm == "event" else 280)

    def add(self, server):
        """Watches a server that a test has started itself."""
        self._running[(server.name, server.mpm)] = server
        return server

    def after_failure(self):
        """Ends all servers, so that the next test does not suffer from what befell this one.
        Their files are kept, as NAME.failed-N."""
        number = next(self._failures)
        running, self._running = self._running, {}
        for server in running.values():
            with contextlib.suppress(AssertionError):
                server.stop()
            if number <= FAILURES_KEPT:
                server.root.rename("%s.failed-%d" % (server.root, number))

    @property
    def running(self):
        return list(self._running.values())

    def health_problems(self):
        return ["%s: %s" % (server.name, problem) for server in self.running
                for problem in server.health_problems()]

    def stop(self, keep=()):
        """Stops all but those named in keep; what was wrong with them."""
        problems = []
        for key, server in list(self._running.items()):
            if key[0] in keep:
                continue
            del self._running[key]
            try:
                server.stop()
            except AssertionError as error:
                problems.append("%s: %s" % (server.name, error))
            problems += ["%s: %s" % (server.name, p) for p in server.health_problems()]
        return problems

    def close(self):
        problems = self.stop()
        self.backend.close()
        return problems
