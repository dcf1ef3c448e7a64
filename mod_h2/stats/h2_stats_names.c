#include "stats/h2_stats_names.h"

const char *const h2_stats_error_names[H2_STATS_ERRORS] = {
    "no_error", "protocol_error", "internal_error", "flow_control_error", "settings_timeout",
    "stream_closed", "frame_size_error", "refused_stream", "cancel", "compression_error",
    "connect_error", "enhance_your_calm", "inadequate_security", "http_1_1_required", "other",
};

static const char *const frame_names[H2_STATS_FRAMES] = {
    "data", "headers", "priority", "rst_stream", "settings", "push_promise", "ping", "goaway",
    "window_update", "continuation", "priority_update", "other",
};

/* As session/h2_flood.h has them. */
static const char *const flood_names[H2_STATS_FLOODS] = {
    "resets", "client_errors", "refused_streams", "ping", "settings", "priority",
    "priority_update", "window_update", "empty_data", "continuation", "late_frames",
    "other_frames",
};

static const char *const urgency_names[H2_STATS_URGENCIES] = {
    "0", "1", "2", "3", "4", "5", "6", "7",
};

static const char *const origin_names[] = {"alpn", "preface_tls", "preface", "upgrade"};
static const char *const class_names[] = {"1xx", "2xx", "3xx", "4xx", "5xx"};
static const char *const record_names[] = {"small", "large"};
static const char *const context_names[] = {"made", "reused"};

/* The directive, or the kind of time, that each of them is. */
static const char *const limit_names[] = {
    "H2MaxHeaderTime", "H2MinRequestRate", "H2MinResponseRate", "H2MaxConnectionRequests",
    "H2MaxConnectionTime", "H2MaxStreamErrors", "H2MaxHeaderListSize", "settings_timeout",
    "Timeout", "KeepAliveTimeout",
};

#define ONE(name, help, count) {name, help, NULL, NULL, count, 1, 1}
#define ROW(name, help, label, values, first)                                                      \
    {name, help, label, values, first, sizeof(values) / sizeof((values)[0]), 1}

const h2_stats_family h2_stats_families[] = {
    ROW("sessions", "HTTP/2 connections that began", "by", origin_names, H2_COUNT_SESSIONS_ALPN),
    ONE("sessions_ended", "HTTP/2 connections that have ended", H2_COUNT_SESSIONS_ENDED),
    ONE("streams", "Streams that clients have opened", H2_COUNT_STREAMS),
    ONE("streams_refused",
        "Streams that were refused, as there were too many or the connection ends",
        H2_COUNT_STREAMS_REFUSED),
    ONE("tunnels", "Streams that were to be tunnels for WebSockets", H2_COUNT_TUNNELS),
    ONE("requests", "Requests that a thread has begun to run", H2_COUNT_REQUESTS),
    ONE("requests_by_leader", "Requests that the leader of a loop has run itself",
        H2_COUNT_REQUESTS_LEADER),
    ONE("leads_lost", "Requests on the leader that took so long that another thread leads now",
        H2_COUNT_LEADS_LOST),
    ROW("responses", "Heads of responses that were sent", "class", class_names,
        H2_COUNT_RESPONSES_1XX),
    ONE("early_hints", "Interim responses with status 103", H2_COUNT_EARLY_HINTS),
    ONE("completed", "Responses that were sent to their end", H2_COUNT_COMPLETED),
    ONE("pushes", "Responses that were promised to clients", H2_COUNT_PUSHES),
    ONE("pushes_cancelled", "Promised responses that the client has reset",
        H2_COUNT_PUSHES_CANCELLED),
    ONE("pushes_spared", "Responses that were not pushed, as the client has them",
        H2_COUNT_PUSHES_SPARED),
    ONE("received_bytes", "Bytes of connections, without TLS, that were received",
        H2_COUNT_BYTES_IN),
    ONE("sent_bytes", "Bytes of connections, without TLS, that were sent", H2_COUNT_BYTES_OUT),
    ONE("received_body_bytes", "Payload of DATA frames that was received", H2_COUNT_BODY_IN),
    ONE("sent_body_bytes", "Payload of DATA frames that was sent", H2_COUNT_BODY_OUT),
    ONE("received_field_bytes", "Size of requests' fields (RFC 9113, 6.5.2)", H2_COUNT_FIELDS_IN),
    ONE("received_block_bytes", "Size of their field blocks, as HPACK has made them",
        H2_COUNT_BLOCKS_IN),
    ONE("sent_field_bytes", "Size of responses' fields (RFC 9113, 6.5.2)", H2_COUNT_FIELDS_OUT),
    ONE("sent_block_bytes", "Size of their field blocks, as HPACK has made them",
        H2_COUNT_BLOCKS_OUT),
    ONE("stalls", "Times that a stream with data found its window, or the connection's, shut",
        H2_COUNT_STALLS),
    {"stall_seconds", "Time that streams, which have ended since, had data and no window", NULL,
     NULL, H2_COUNT_STALL_USEC, 1, APR_USEC_PER_SEC},
    ONE("socket_stalls", "Times that a client's TCP took no more", H2_COUNT_SOCKET_STALLS),
    ROW("tls_records", "TLS records that were sent, by size", "size", record_names,
        H2_COUNT_RECORDS_SMALL),
    ONE("incremental", "Requests whose client wants the response incrementally (RFC 9218)",
        H2_COUNT_INCREMENTAL),
    ONE("dependencies", "Requests with a dependency or a weight (RFC 7540)", H2_COUNT_DEPENDENCIES),
    ROW("secondaries", "Secondary connections, which requests run in", "how", context_names,
        H2_COUNT_CONTEXTS_MADE),
    ROW("limits", "Streams and connections that a limit has ended", "limit", limit_names,
        H2_COUNT_LIMIT_HEADER_TIME),
    ROW("floods", "Connections that were ended for what their client sent too much of", "cause",
        flood_names, H2_COUNT_FLOODS0),
    ROW("resets_sent", "RST_STREAM frames that were sent", "error", h2_stats_error_names,
        H2_COUNT_RESETS_SENT0),
    ROW("resets_received", "RST_STREAM frames that were received", "error", h2_stats_error_names,
        H2_COUNT_RESETS_RECEIVED0),
    ROW("goaways_sent", "GOAWAY frames that were sent, without the notice that goes before",
        "error", h2_stats_error_names, H2_COUNT_GOAWAYS_SENT0),
    ROW("goaways_received", "GOAWAY frames that were received", "error", h2_stats_error_names,
        H2_COUNT_GOAWAYS_RECEIVED0),
    ROW("received_frames", "Frames that were received", "type", frame_names, H2_COUNT_FRAMES_IN0),
    ROW("sent_frames", "Frames that were sent", "type", frame_names, H2_COUNT_FRAMES_OUT0),
    ROW("urgencies", "Requests by the urgency that their client gives (RFC 9218)", "urgency",
        urgency_names, H2_COUNT_URGENCIES0),
    {NULL, NULL, NULL, NULL, 0, 0, 0},
};

const h2_stats_name h2_stats_gauge_names[H2_GAUGES] = {
    [H2_GAUGE_SESSIONS] = {"open_sessions", "HTTP/2 connections that are open"},
    [H2_GAUGE_SESSIONS_IDLE] = {"idle_sessions", "Open connections without a stream"},
    [H2_GAUGE_SESSIONS_PARKED] = {"parked_sessions", "Open connections that hold no thread"},
    [H2_GAUGE_STREAMS] = {"open_streams", "Streams that are open"},
    [H2_GAUGE_WAITING] = {"waiting_requests", "Requests that wait for a thread"},
    [H2_GAUGE_RUNNING] = {"running_requests", "Requests that a thread runs"},
    [H2_GAUGE_TUNNELS] = {"open_tunnels", "Tunnels for WebSockets that have a thread"},
};

const h2_stats_name h2_stats_time_names[H2_TIMES] = {
    [H2_TIME_WAIT] = {"wait", "Time that a request waited for a thread"},
    [H2_TIME_RUN] = {"run", "Time that a thread ran a request"},
    [H2_TIME_FIRST_BYTE] = {"first_byte",
                            "Time from the end of a request's head to the head of its "
                            "response"},
    [H2_TIME_CLIENT] = {"client", "Time that a response waited for windows of its client"},
    [H2_TIME_TOTAL] = {"total", "Time from the end of a request's head to the end of its stream"},
};

const h2_stats_name h2_stats_workers_names[H2_WORKERS_FIGURES] = {
    [H2_WORKERS_TOTAL] = {"workers", "Threads for HTTP/2"},
    [H2_WORKERS_SPARE] = {"spare_workers", "Threads for HTTP/2 that have nothing to do"},
    [H2_WORKERS_MIN] = {"min_workers", "Threads for HTTP/2 that stay however idle they are"},
    [H2_WORKERS_MAX] = {"max_workers", "Threads for HTTP/2 that there may be"},
    [H2_WORKERS_STARTED] = {"workers_started", "Threads for HTTP/2 that were started"},
    [H2_WORKERS_LEFT] = {"workers_left", "Threads for HTTP/2 that have left"},
};
