"""The servers' configurations: the same work for each, as alike as they can be."""

import os

TLS13_CIPHER = "TLS_AES_128_GCM_SHA256"
# More than the 64 connections of the widest case: where threads are short, event closes keep-alive
# connections, and reconnecting would be measured.
THREADS = 128

_STATIC = ["mpm_event", "authz_core", "mime", "dir", "ssl", "log_config", "unixd"]
_MODULES = {
    "static": _STATIC,
    "apps": _STATIC + ["alias", "cgid", "proxy", "proxy_http", "lua"],
    "usual": _STATIC + [
        "access_compat", "alias", "auth_basic", "authn_core", "authn_file", "authz_host",
        "authz_user", "autoindex", "deflate", "env", "expires", "filter", "headers",
        "negotiation", "reqtimeout", "rewrite", "setenvif", "status"],
}

_HTTPD = """
ServerRoot "{home}"
DefaultRuntimeDir "{home}"
PidFile "{home}/httpd.pid"
ServerName localhost
{user}
{load}
TypesConfig "{site.dir}/mime.types"
ErrorLog "{home}/error_log"
LogLevel warn
Timeout 300
KeepAlive On
KeepAliveTimeout 600
MaxKeepAliveRequests 0
# One child, so that every connection meets the same pools and caches.
StartServers 1
ServerLimit 1
ThreadsPerChild {threads}
ThreadLimit {threads}
MaxRequestWorkers {threads}
MinSpareThreads 1
MaxSpareThreads {max_spare}
AsyncRequestWorkerFactor 64
MaxConnectionsPerChild 0
ListenBacklog 4096
DirectoryIndex index.html
SSLSessionCache none
SSLSessionTickets off
{listen}
<Directory "/">
    AllowOverride None
    Options FollowSymLinks
    Require all granted
</Directory>
{profile}
{vhosts}
{directives}
"""

_APPS = """
ScriptSock "{home}/cgid.sock"
ScriptAlias "/cgi/" "{site.dir}/cgi/"
ScriptAlias "/sink" "{site.dir}/cgi/sink"
ProxyPass "/be/" "http://127.0.0.1:{backend}/" keepalive=On timeout=300
{lua}
"""
_LUA = """
LuaMapHandler "^/slow$" "{site.dir}/lua/slow.lua" handle
LuaMapHandler "^/sse$" "{site.dir}/lua/sse.lua" handle
"""
_USUAL = """
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
CustomLog "{home}/access_log" combined
<Directory "{site.dir}/usual">
    AllowOverride All
    Options Indexes FollowSymLinks
</Directory>
AddOutputFilterByType DEFLATE text/html text/plain text/css text/javascript application/json
ExpiresActive On
ExpiresByType image/png "access plus 1 month"
Header always set Strict-Transport-Security "max-age=31536000"
Header append Vary Accept-Encoding
RequestReadTimeout header=20-40,minrate=500
RequestReadTimeout body=10,minrate=500
SetEnvIf User-Agent "MSIE" no-gzip
"""
_VHOST = """
<VirtualHost 127.0.0.1:{port}>
    DocumentRoot "{docroot}"
    Protocols {protocols}
    {extra}
</VirtualHost>
"""
_VHOST_TLS = f"""SSLEngine on
    SSLCertificateFile "{{site.certificate}}"
    SSLCertificateKeyFile "{{site.key}}"
    SSLProtocol -all +TLSv1.3
    SSLCipherSuite TLSv1.3 {TLS13_CIPHER}"""


def httpd(site, home, profile, ports, modules_dir, http2_module, backend, directives):
    """http2_module None: no HTTP/2 at all, httpd's own HTTP/1.1."""
    load = []
    loaded = set()
    for name in _MODULES[profile]:
        # What is not a file of its own is compiled in, or is missed by -t.
        if os.path.exists(f"{modules_dir}/mod_{name}.so"):
            load.append(f'LoadModule {name}_module "{modules_dir}/mod_{name}.so"')
            loaded.add(name)
    if http2_module:
        load.append(f'LoadModule http2_module "{http2_module}"')
    profile_text = ""
    if profile == "apps":
        lua = _LUA.format(site=site) if "lua" in loaded else ""
        profile_text = _APPS.format(site=site, home=home, backend=backend, lua=lua)
    elif profile == "usual":
        profile_text = _USUAL.format(site=site, home=home)
    vhosts = ""
    for kind, port in ports.items():
        tls = kind == "tls"
        extra = [_VHOST_TLS.format(site=site)] if tls else []
        if kind == "wide" and http2_module:
            extra.append("H2WindowSize 1048576")
        protocols = ("h2 " if tls else "h2c ") if http2_module else ""
        vhosts += _VHOST.format(
            port=port, protocols=protocols + "http/1.1", extra="\n    ".join(extra),
            docroot=site.path("usual") if profile == "usual" else site.docroot)
    return _HTTPD.format(
        site=site, home=home, threads=THREADS, max_spare=2 * THREADS,
        user=f"User {site.user.pw_name}\nGroup #{site.user.pw_gid}" if site.user else "",
        load="\n".join(load), profile=profile_text, vhosts=vhosts,
        listen="\n".join(f"Listen 127.0.0.1:{port}" for port in ports.values()),
        directives="\n".join(directives))


_NGINX = """
daemon off;
{user}
worker_processes auto;
worker_rlimit_nofile 16384;
pid "{home}/nginx.pid";
error_log "{home}/error_log" warn;
events {{ worker_connections 8192; }}
http {{
    types {{ text/html html; text/plain txt; image/png png; application/octet-stream bin; }}
    client_body_temp_path "{home}/body";
    proxy_temp_path "{home}/proxy";
    fastcgi_temp_path "{home}/fastcgi";
    uwsgi_temp_path "{home}/uwsgi";
    scgi_temp_path "{home}/scgi";
    access_log off;
    # With sendfile, nginx's HTTP/2 leaves the socket corked after a small file, and each response
    # waits 40 ms for the client's delayed ACK: it is on for the large file only.
    sendfile off;
    keepalive_requests 1000000000;
    keepalive_timeout 600s;
    client_max_body_size 0;
    {http2}
    ssl_certificate "{site.certificate}";
    ssl_certificate_key "{site.key}";
    ssl_protocols TLSv1.3;
    ssl_conf_command Ciphersuites {cipher};
    ssl_session_tickets off;
    root "{site.docroot}";
    {upstream}
    server {{
        {listen}
        location = /10m.bin {{ sendfile on; }}
        {locations}
    }}
}}
"""


def nginx(site, home, ports, backend):
    return _nginx(
        site, home, http2="http2_max_concurrent_streams 256;",
        upstream=f"upstream be {{ server 127.0.0.1:{backend}; keepalive 128; }}",
        listen=f"listen 127.0.0.1:{ports['clear']} http2 backlog=4096;\n"
               f"        listen 127.0.0.1:{ports['tls']} ssl http2 backlog=4096;",
        locations='location /be/ { proxy_pass http://be/; proxy_http_version 1.1; '
                  'proxy_set_header Connection ""; }')


def nginx_backend(site, home, port):
    return _nginx(site, home, http2="", upstream="",
                  listen=f"listen 127.0.0.1:{port} backlog=4096;",
                  locations='location = /sink { return 200 "taken\\n"; }')


def _nginx(site, home, **parts):
    user = f"user {site.user.pw_name};" if site.user else ""
    return _NGINX.format(site=site, home=home, user=user, cipher=TLS13_CIPHER, **parts)


_H2O = """
{user}
pid-file: {home}/h2o.pid
error-log: {home}/error_log
max-connections: 8192
limit-request-body: 1073741824
http2-max-concurrent-requests-per-connection: 256
http2-idle-timeout: 600
listen:
  host: 127.0.0.1
  port: {ports[clear]}
listen:
  host: 127.0.0.1
  port: {ports[tls]}
  ssl:
    certificate-file: {site.certificate}
    key-file: {site.key}
    minimum-version: TLSv1.2
    neverbleed: OFF
    ocsp-update-interval: 0
hosts:
  default:
    paths:
      "/":
        file.dir: {site.docroot}
      "/be":
        proxy.reverse.url: "http://127.0.0.1:{backend}/"
        proxy.timeout.keepalive: 600000
"""


def h2o(site, home, ports, backend):
    user = f"user: {site.user.pw_name}" if site.user else ""
    return _H2O.format(site=site, home=home, ports=ports, backend=backend, user=user)
