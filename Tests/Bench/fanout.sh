#!/usr/bin/env bash
# Measures enhanced fan-out: how long a record takes from its put to a subscriber, beside a reader that polls GetRecords as
# often as AWS allows, and what a thousand idle subscriptions cost. Needs a release build and, once,
# `packaging/install-dependencies.sh bench`.
#
#     Tests/Bench/fanout.sh [latency|idle]     default: both
#
# Environment: MILLRACE_BIN (.build/release), BENCH_DIR (.build/bench, on the disk to measure), ROUNDS (3), SECONDS_EACH (20),
# RATE (1000 records/s of SIZE 100 bytes), SUBSCRIPTIONS (1000), IDLE_SECONDS (30).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=${MILLRACE_BIN:-$root/.build/release}
dir=${BENCH_DIR:-$root/.build/bench}
rounds=${ROUNDS:-3} each=${SECONDS_EACH:-20} rate=${RATE:-1000} size=${SIZE:-100}
subscriptions=${SUBSCRIPTIONS:-1000} idle_seconds=${IDLE_SECONDS:-30} shards=1
mkdir -p "$dir"
. "$here/common.sh"

[ -f /usr/include/openssl/evp.h ] || fail "libssl-dev is missing: packaging/install-dependencies.sh bench"
gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$dir/fanout" "$here/fanout.c" -lcrypto

clients=()
cleanup() {
    for client in "${clients[@]}"; do kill "$client" 2>/dev/null || true; done
    stop
}
trap cleanup EXIT

# register STREAM NAME: prints the consumer's ARN.
register() {
    call RegisterStreamConsumer "{\"StreamARN\":\"arn:aws:kinesis:us-east-1:000000000000:stream/$1\",\"ConsumerName\":\"$2\"}" |
        sed 's/.*"ConsumerARN":"\([^"]*\)".*/\1/'
}

wait_active() {
    for ((tries = 0; tries < 100; tries++)); do
        case $(call DescribeStreamConsumer "{\"ConsumerARN\":\"$1\"}") in *'"ACTIVE"'*) return ;; esac
        sleep 0.05
    done
    fail "a consumer does not become ACTIVE"
}

# start NAME ARGUMENTS...: a client in the background that says when it is open.
start() {
    local name=$1
    shift
    : >"$dir/$name.out"
    "$dir/fanout" "$@" --port "$port" <&0 >"$dir/$name.out" 2>"$dir/$name.err" &
    clients+=($!)
    for ((tries = 0; tries < 600; tries++)); do
        ! grep -q '^open' "$dir/$name.out" || return 0
        kill -0 "${clients[-1]}" 2>/dev/null || fail "$name ended:" "$(tail -n 5 "$dir/$name.err")"
        sleep 0.05
    done
    fail "$name does not begin"
}

finish() {
    for client in "${clients[@]}"; do wait "$client" || fail "a client failed:" "$(tail -n 3 "$dir"/*.err)"; done
    clients=()
}

resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

latency() {
    printf '%s PutRecord calls/s of %s bytes for %s s; from the moment each was due to its receipt by another process\n' \
        "$rate" "$size" "$each"
    for ((round = 1; round <= rounds; round++)); do
        serve_collector
        consumer=$(register bench reader)
        wait_active "$consumer"
        start subscribe subscribe --consumer "$consumer" --seconds $((each + 2))
        start poll poll --seconds $((each + 2))
        before=$(cpu "$pid")
        "$dir/fanout" put --port "$port" --rate "$rate" --size "$size" --seconds "$each" >"$dir/put.out"
        after=$(cpu "$pid")
        finish
        tail -qn 1 "$dir/subscribe.out" "$dir/poll.out"
        printf '%s collector_cpu_s=%s\n' "$(cat "$dir/put.out")" "$(awk -v a="$before" -v b="$after" 'BEGIN { printf "%.2f", b - a }')"
        stop
        rm -rf "$dir/data"
    done
}

idle() {
    printf '%s idle subscriptions for %s s\n' "$subscriptions" "$idle_seconds"
    serve_collector
    create_stream idle $(((subscriptions + 19) / 20))
    : >"$dir/feeds"
    for ((consumer = 0; consumer < 20; consumer++)); do
        arn=$(register idle "c$consumer")
        for ((shard = 0; shard < (subscriptions + 19) / 20; shard++)); do
            printf '%s shardId-%012d\n' "$arn" "$shard" >>"$dir/feeds"
        done
    done
    wait_active "$arn"
    # What the first connections and calls cost once is no subscription's.
    head -n 20 "$dir/feeds" >"$dir/first" && start warm idle --seconds 1 <"$dir/first" && finish
    sleep 6
    local rss cpu_before cpu_after rss_after
    rss=$(resident "$pid")
    start idle idle --seconds $((idle_seconds + 2)) <"$dir/feeds"
    sleep 1
    cpu_before=$(cpu "$pid")
    sleep "$idle_seconds"
    cpu_after=$(cpu "$pid") rss_after=$(resident "$pid")
    finish
    awk -v count="$(wc -l <"$dir/feeds")" -v before="$rss" -v after="$rss_after" -v a="$cpu_before" -v b="$cpu_after" \
        -v seconds="$idle_seconds" 'BEGIN {
        printf "subscriptions=%d rss_before_mib=%.1f rss_mib=%.1f cost_mib=%.1f kib_each=%.1f cpu_s=%.2f cpu_percent=%.2f\n",
            count, before / 1024, after / 1024, (after - before) / 1024, (after - before) / count, b - a, (b - a) * 100 / seconds }'
    stop
    rm -rf "$dir/data"
}

case ${1:-both} in
    latency) latency ;;
    idle) idle ;;
    both) latency && idle ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 64 ;;
esac
