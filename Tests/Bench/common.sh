# What the benchmarks share: a collector, calls of it, and what a process costs. Sourced, with `bin`, `dir` and `shards` set.

fail() {
    printf 'bench: %s\n' "$@" >&2
    exit 1
}

pid=''
stop() {
    [ -n "$pid" ] || return 0
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    pid=''
}

# What servers are started through: nothing.
through=()

# serve COMMAND...: starts a server, waits for its line `ready URL`, sets url and port.
serve() {
    : >"$dir/server.out"
    "${through[@]}" "$@" >"$dir/server.out" 2>"$dir/server.log" &
    pid=$!
    url=''
    for ((tries = 0; tries < 300 && ${#url} == 0; tries++)); do
        kill -0 "$pid" 2>/dev/null || fail "$1 ended:" "$(tail -n 5 "$dir/server.log")"
        url=$(sed -n 's/^ready //p' "$dir/server.out")
        sleep 0.05
    done
    url=${url%/} port=${url##*:}
    [ -n "$port" ] || fail "$1 is not ready"
}

# With AWS's limits off, and the stream `bench`.
serve_collector() {
    rm -rf "$dir/data"
    local limits=()
    ! "$bin/millrace-collector" run --help | grep -q -e --limits || limits=(--limits none)
    serve "$bin/millrace-collector" run --data-dir "$dir/data" --listen 127.0.0.1:0 "${limits[@]}"
    AWS_ACCESS_KEY_ID=$(sed -n 's/^aws_access_key_id *= *//p' "$dir/data/credentials")
    AWS_SECRET_ACCESS_KEY=$(sed -n 's/^aws_secret_access_key *= *//p' "$dir/data/credentials")
    export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
    create_stream bench "$shards"
}

# create_stream NAME SHARDS: returns when it is ACTIVE.
create_stream() {
    call CreateStream "{\"StreamName\":\"$1\",\"ShardCount\":$2}" >/dev/null
    for ((tries = 0; tries < 100; tries++)); do
        case $(call DescribeStreamSummary "{\"StreamName\":\"$1\"}") in *'"ACTIVE"'*) return ;; esac
        sleep 0.1
    done
    fail "stream $1 does not become ACTIVE"
}

call() {
    curl --silent --show-error --fail-with-body --max-time 20 --aws-sigv4 aws:amz:us-east-1:kinesis \
        --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" --header 'Content-Type: application/x-amz-json-1.1' \
        --header "X-Amz-Target: Kinesis_20131202.$1" --data "$2" "$url/"
}

# cpu PID: user and system time so far, in seconds. peak PID: the most resident memory, in MiB.
cpu() { awk -v tick="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.2f", ($12 + $13) / tick }' "/proc/$1/stat"; }
peak() { awk '/^VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$1/status"; }
