"""The servers' configurations: each feature switched on as that server's documentation says."""

import os

# Fewer than STALLED connections of hostile.py.
THREADS = 16
HASTE = 2           # seconds that a field block may take, at the port `hasty`

_HTTPD_MODULES = ("mpm_event", "authz_core", "mime", "dir", "ssl", "log_config", "unixd", "alias",
                  "headers", "reqtimeout", "setenvif", "status", "proxy", "proxy_http",
                  "proxy_http2", "proxy_wstunnel")
_HTTPD = """
ServerRoot "{home}"
DefaultRuntimeDir "{home}"
PidFile "{home}/httpd.pid"
ServerName localhost
{user}
{load}
TypesConfig "{site.dir}/mime.types"
ErrorLog "{home}/error_log"
LogLevel warn http2:info
LogFormat {log_format} compare
CustomLog "{home}/access_log" compare
Timeout 60
StartServers 1
ServerLimit 4
ThreadsPerChild {threads}
ThreadLimit {thread_limit}
# one child, and room for those of other generations
MaxRequestWorkers {threads}
MinSpareThreads 1
MaxSpareThreads {threads}
AsyncRequestWorkerFactor 64
GracefulShutdownTimeout 20
DirectoryIndex index.html
ProxyTimeout 20
{listen}
<Directory "/">
    Require all granted
</Directory>
Protocols h2 h2c http/1.1
H2Push on
H2EarlyHints on
H2WebSockets on
ProxyPass "/be/ws/" "http://127.0.0.1:{backends.http1.port}/be/ws/" upgrade=websocket
ProxyPass "/be/" "http://127.0.0.1:{backends.http1.port}/be/" disablereuse=on
ProxyPass "/h2be/" "h2c://127.0.0.1:{backends.http2.port}/"
ProxyPass "/calls/" "h2c://127.0.0.1:{backends.grpc_port}/calls/"
<Location "/be/gate/hinted">
    H2EarlyHint Link "</1k.txt>; rel=preload; as=style"
</Location>
# httpd's own module has no page of its own.
<Location "/status">
    SetHandler {status}
</Location>
{vhosts}
"""
_VHOST = """
<VirtualHost 127.0.0.1:{port}>
    DocumentRoot "{site.docroot}"
    {extra}
</VirtualHost>
"""
_HTTPD_TLS = """SSLEngine on
    SSLCertificateFile "{site.certificate}"
    SSLCertificateKeyFile "{site.key}"
    H2TLSWarmUpSize 65536
    H2TLSCoolDownSecs 1"""
_LOG_FORMATS = {
    "ours": r'"%U stream=%{stream}^H2 wait=%{wait}^H2 blocked=%{blocked}^H2 total=%D"',
    "mod_http2": r'"%U stream=%{H2_STREAM_ID}e wait=- blocked=- total=%D"',
}
_HASTY = {
    "ours": f"H2MaxHeaderTime {HASTE}",
    "mod_http2": f"RequestReadTimeout handshake={HASTE} header={HASTE} body={HASTE}\n"
                 f"    Timeout {HASTE}\n    H2StreamTimeout {HASTE}",
}


def httpd(site, home, ports, tools, name, backends):
    load = [f'LoadModule {each}_module "{tools.modules_dir}/mod_{each}.so"'
            for each in _HTTPD_MODULES if os.path.exists(f"{tools.modules_dir}/mod_{each}.so")]
    load.append(f'LoadModule http2_module "{tools.http2_module(name)}"')
    extras = {"tls": _HTTPD_TLS.format(site=site), "hasty": _HASTY[name]}
    return _HTTPD.format(
        site=site, home=home, backends=backends, threads=THREADS, thread_limit=4 * THREADS,
        user=f"User {site.user.pw_name}\nGroup #{site.user.pw_gid}" if site.user else "",
        status="http2-status" if name == "ours" else "server-status",
        load="\n".join(load), log_format=_LOG_FORMATS[name],
        listen="\n".join(f"Listen 127.0.0.1:{port}" for port in ports.values()),
        vhosts="".join(_VHOST.format(site=site, port=port, extra=extras.get(kind, ""))
                       for kind, port in ports.items()))


# No directives: 103 (early_hints came with 1.29.0), trailers of a back end of HTTP/1.1
# (proxy_pass_trailers came with 1.27.2), Upgrade to h2c, RFC 8441, RFC 9218, TLS records that grow.
_NGINX = """
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile 8192;
pid "{home}/nginx.pid";
error_log "{home}/error_log" warn;
events {{ worker_connections 4096; }}
http {{
    types {{ text/html html; text/plain txt; application/octet-stream bin; }}
    client_body_temp_path "{home}/body";
    proxy_temp_path "{home}/proxy";
    fastcgi_temp_path "{home}/fastcgi";
    uwsgi_temp_path "{home}/uwsgi";
    scgi_temp_path "{home}/scgi";
    log_format compare '$uri stream=- wait=- blocked=- total=$request_time';
    access_log "{home}/access_log" compare;
    ssl_certificate "{site.certificate}";
    ssl_certificate_key "{site.key}";
    root "{site.docroot}";
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_buffering off;
    http2_push_preload on;
    {servers}
}}
"""
_NGINX_SERVER = """
    server {{
        listen 127.0.0.1:{listen} http2;
        {extra}
        location /be/ {{ proxy_pass http://127.0.0.1:{backends.http1.port}; }}
        location /be/ws/ {{
            proxy_pass http://127.0.0.1:{backends.http1.port};
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
        }}
        location /h2be/ {{ grpc_pass grpc://127.0.0.1:{backends.http2.port}; }}
        location /calls/ {{ grpc_pass grpc://127.0.0.1:{backends.grpc_port}; }}
        location = /status {{ stub_status; }}
    }}
"""
# The port for TLS has the default of keepalive_requests, 1000.
_NGINX_EXTRAS = {"clear": "keepalive_requests 1000000;",
                 "hasty": f"client_header_timeout {HASTE}s;"}


def nginx(site, home, ports, backends):
    return _NGINX.format(
        site=site, home=home, user=f"user {site.user.pw_name};" if site.user else "",
        servers="".join(_NGINX_SERVER.format(
            listen=f"{port} ssl" if kind == "tls" else port, backends=backends,
            extra=_NGINX_EXTRAS.get(kind, "")) for kind, port in ports.items()))


# No directives: 103 (`send-informational` is one of later releases), HTTP/2 to back ends,
# RFC 8441, RFC 9218.
_H2O = """
{user}
pid-file: {home}/h2o.pid
error-log: {home}/error_log
access-log:
  path: {home}/access_log
  format: "%U stream=%{{http2.stream-id}}x wait=- blocked=- total=%{{response-time}}x"
num-threads: 1
max-connections: 4096
http2-idle-timeout: {haste}
http2-latency-optimization-min-rtt: 0
http2-latency-optimization-max-additional-delay: 1000000
http2-push-preload: ON
http2-casper:
  capacity-bits: 13
  tracking-types: all
{listen}
hosts:
  default:
    paths:
      "/":
        file.dir: {site.docroot}
      "/be":
        proxy.reverse.url: "http://127.0.0.1:{backends.http1.port}/be"
        proxy.timeout.keepalive: 0
        proxy.websocket: ON
      "/h2be":
        proxy.reverse.url: "http://127.0.0.1:{backends.http2.port}/h2be"
        proxy.timeout.io: 3000
      "/calls":
        proxy.reverse.url: "http://127.0.0.1:{backends.grpc_port}/calls"
        proxy.timeout.io: 3000
      "/status":
        status: ON
"""
_H2O_LISTEN = """listen:
  host: 127.0.0.1
  port: {port}
"""
_H2O_TLS = """  ssl:
    certificate-file: {site.certificate}
    key-file: {site.key}
    neverbleed: OFF
    ocsp-update-interval: 0
"""


def h2o(site, home, ports, backends):
    listen = "".join(_H2O_LISTEN.format(port=port) + (
        _H2O_TLS.format(site=site) if kind == "tls" else "") for kind, port in ports.items())
    return _H2O.format(site=site, home=home, backends=backends, haste=HASTE, listen=listen,
                       user=f"user: {site.user.pw_name}" if site.user else "")
