# The demo's checks, sourced by scripts/serve, which sets $https, $http, $demo and stop_httpd.

passed=0
failed=0

# check NAME WANTED FOUND
check() {
    if [ "$2" = "$3" ]; then
        passed=$((passed + 1))
        printf 'ok    %s\n' "$1"
    else
        failed=$((failed + 1))
        printf 'FAIL  %s: wanted "%s", found "%s"\n' "$1" "$2" "$3"
    fi
}

fetch() {
    curl -sk --max-time 30 "$@" 2>&1 || true
}

check_protocols() {
    local format='%{http_version} %{http_code}'
    check "https: h2 by ALPN" "2 200" "$(fetch --http2 -o /dev/null -w "$format" "$https/")"
    check "https: http/1.1 beside it" "1.1 200" \
        "$(fetch --http1.1 -o /dev/null -w "$format" "$https/")"
    check "http: h2c by prior knowledge" "2 200" \
        "$(fetch --http2-prior-knowledge -o /dev/null -w "$format" "$http/")"
    check "http: h2c by Upgrade" "2 200" "$(fetch --http2 -o /dev/null -w "$format" "$http/")"
    check "http: http/1.1 beside it" "1.1 200" \
        "$(fetch --http1.1 -o /dev/null -w "$format" "$http/")"
    check "HEAD" "2 200 0" \
        "$(fetch --http2 -I -o /dev/null -w "$format %{size_download}" "$https/demo.css")"
    check "a missing page" "2 404" \
        "$(fetch --http2 -o /dev/null -w "$format" "$https/there-is-no-such-page")"
    check "the body is the file" "$(sha256sum <"$open/site/demo.js")" \
        "$(fetch --http2 "$https/demo.js" | sha256sum)"
}

check_tiles() {
    local urls=() number
    for number in $(seq -w 1 30); do
        urls+=("$https/tiles/$number.svg" -o /dev/null)
    done
    check "30 assets on one connection" "30 x 2 200, 1 connection" \
        "$(fetch --http2 --parallel --parallel-max 30 -w '%{http_version} %{http_code} %{num_connects}\n' \
              "${urls[@]}" |
           awk '$1 == 2 && $2 == 200 { n++ } { c += $3 } END { print n " x 2 200, " c " connection" }')"
}

check_cgi() {
    local hello events
    hello=$(fetch --http2 "$https/cgi/hello")
    check "CGI: SERVER_PROTOCOL" "SERVER_PROTOCOL=HTTP/2.0" "$(grep ^SERVER_PROTOCOL= <<<"$hello")"
    check "CGI: REQUEST_METHOD" "REQUEST_METHOD=GET" "$(grep ^REQUEST_METHOD= <<<"$hello")"
    check "POST of 3 MiB to a CGI" "3145728 bytes" \
        "$(head -c 3145728 /dev/zero | fetch --http2 --data-binary @- "$https/cgi/upload")"
    check "POST of 3 MiB without content-length" "3145728 bytes" \
        "$(head -c 3145728 /dev/zero | fetch --http2 -T - -X POST "$https/cgi/upload")"
    # Five events, half a second between them: each must be there at once, not all at the end.
    events=$(fetch --http2 -N "$https/cgi/events" | {
        first=
        count=0
        while IFS= read -r line; do
            case $line in
                data:*)
                    count=$((count + 1))
                    now=$(date +%s%3N)
                    first=${first:-$now} ;;
            esac
        done
        if [ $count -gt 0 ] && [ $((now - first)) -ge 1500 ]; then
            echo "$count, one by one"
        else
            echo "$count, at once"
        fi
    })
    check "server-sent events" "5, one by one" "$events"
}

h2load_succeeded() {
    h2load "$@" 2>&1 | sed -n 's/^requests: .* \([0-9]*\) succeeded, \([0-9]*\) failed.*/\1 succeeded, \2 failed/p'
}

check_tools() {
    check "nghttp with the page's assets" "3 x 200" \
        "$(timeout 30 nghttp -nas "$https/" 2>/dev/null | awk '$5 == 200 { n++ } END { print n " x 200" }')"
    check "nghttp by Upgrade" "1 x 200" \
        "$(timeout 30 nghttp -nus "$http/" 2>/dev/null | awk '$5 == 200 { n++ } END { print n " x 200" }')"
    check "h2load over TLS" "2000 succeeded, 0 failed" \
        "$(h2load_succeeded -n 2000 -c 8 -m 20 "$https/demo.css")"
    check "h2load in clear text" "2000 succeeded, 0 failed" \
        "$(h2load_succeeded -n 2000 -c 8 -m 20 "$http/demo.css")"
    check "h2load, one after another" "2000 succeeded, 0 failed" \
        "$(h2load_succeeded -n 2000 -c 1 -m 1 "$http/demo.css")"
    check "h2load of a CGI" "100 succeeded, 0 failed" \
        "$(h2load_succeeded -n 100 -c 4 -m 10 "$https/cgi/hello")"
}

# The example application has a checker of its own, which says of each check as we do.
check_application() {
    local url line
    for url in "$https/app/" "$http/app/"; do
        while IFS= read -r line; do
            case $line in
                ok*) passed=$((passed + 1)) ;;
                FAIL*) failed=$((failed + 1)) ;;
                *" passed, "*) continue ;;
            esac
            printf '%s (%s)\n' "$line" "${url%%:*}"
        done < <(/usr/bin/python3 "$root/docs/examples/showcase/check.py" "$url" 2>&1 ||
                     echo "FAIL  example application")
    done
}

# AH00051 and AH00052: a child died by a signal.
check_end() {
    local marks='AH00051|AH00052|AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|Assertion'
    stop_httpd
    check "stops when told to" clean "$stopped"
    check "no child died" "" "$(grep -hE "$marks" "$demo/log/error.log" "$demo/log/output.log" | head -n 3)"
}

check_status() {
    local format='%{http_code} %{content_type}' requests
    check "http2-status" "200 text/html; charset=utf-8" \
        "$(fetch -o /dev/null -w "$format" "$http/http2-status")"
    requests=$(fetch "$http/http2-status?json" | sed -n 's/.*"requests":\([0-9]*\),"requests_by.*/\1/p')
    check "http2-status counts" yes "$([ "${requests:-0}" -ge 30 ] && echo yes || echo "$requests")"
}

run_checks() {
    check_protocols
    check_tiles
    check_cgi
    check_tools
    check_status
    check_application
    check_end
    [ $failed = 0 ] || say "The error log is ${demo#"$root"/}/log/error.log"
    say "$passed passed, $failed failed, 0 skipped"
    [ $failed = 0 ]
}
