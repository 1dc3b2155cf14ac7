#!/usr/bin/env bash
# Measures the collector beside its floor, then the agent into the collector. Needs a release build and, once,
# `packaging/install-dependencies.sh bench`.
#
#     Tests/Bench/run.sh [collector|agent|encryption]     default: collector and agent
#
# `encryption` measures the same puts into a plain and an encrypted stream; the frames alone: `encryption-bench`.
#
# Environment: MILLRACE_BIN (.build/release), BENCH_DIR (.build/bench, on the disk to measure), ROUNDS (3), SECONDS_EACH (8),
# SHARDS (4), AGENT_BYTES (1073741824).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=${MILLRACE_BIN:-$root/.build/release}
dir=${BENCH_DIR:-$root/.build/bench}
rounds=${ROUNDS:-3} each=${SECONDS_EACH:-8} shards=${SHARDS:-4} agent_bytes=${AGENT_BYTES:-1073741824}
mkdir -p "$dir"

. "$here/common.sh"

[ -f /usr/include/openssl/evp.h ] || fail "libssl-dev is missing: packaging/install-dependencies.sh bench"
for program in floor load; do
    gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$dir/$program" "$here/$program.c" -lcrypto
done

agent=''
cleanup() {
    [ -z "$agent" ] || kill "$agent" 2>/dev/null || true
    stop
}
trap cleanup EXIT

median() { sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }'; }

# load [OPTIONS of load.c]
load() {
    local before after line
    before=$(cpu "$pid")
    line=$("$dir/load" --port "$port" --seconds "$each" "$@")
    after=$(cpu "$pid")
    printf '%s  server_cpu_s=%s server_peak_mib=%s\n' "$line" \
        "$(awk -v a="$before" -v b="$after" 'BEGIN { printf "%.2f", b - a }')" "$(peak "$pid")"
}

bench_collector() {
    printf 'PutRecords, 500 x 1 KiB, 4 connections, one batch outstanding on each, %s s, every answer after a sync\n' "$each"
    : >"$dir/floor.rates" && : >"$dir/collector.rates"
    for ((round = 1; round <= rounds; round++)); do
        export AWS_ACCESS_KEY_ID=floor AWS_SECRET_ACCESS_KEY=floor
        serve "$dir/floor" "$dir/floor.data"
        line=$(load) && stop && rm -f "$dir/floor.data"
        printf 'floor      %s\n' "$line" && printf '%s\n' "$line" | sed 's/records_per_s=\([0-9]*\).*/\1/' >>"$dir/floor.rates"
        serve_collector
        line=$(load) && stop && rm -rf "$dir/data"
        printf 'collector  %s\n' "$line" && printf '%s\n' "$line" | sed 's/records_per_s=\([0-9]*\).*/\1/' >>"$dir/collector.rates"
    done
    awk -v floor="$(median <"$dir/floor.rates")" -v collector="$(median <"$dir/collector.rates")" \
        'BEGIN { printf "median: floor %d records/s, collector %d records/s, ratio %.2f\n", floor, collector, collector / floor }'
}

bench_agent() {
    local lines start end before file=$dir/access.log
    awk -v bytes="$agent_bytes" 'BEGIN {
        pad = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
        for (n = 0; n * 180 < bytes; n++)
            printf "%-179.179s\n", sprintf("10.%d.%d.%d - - [21/Nov/2026:05:46:39 +0000] \"GET /item/%d HTTP/1.1\" 200 %d \"-\" \"%s\"",
                n % 256, n / 256 % 256, n / 65536 % 256, n, n % 40000, pad)
    }' >"$file"
    lines=$(wc -l <"$file")
    printf 'agent: %s lines of 180 bytes, %s bytes, into the collector\n' "$lines" "$(stat -c %s "$file")"
    serve_collector
    rm -rf "$dir/agent" && mkdir "$dir/agent"
    cat >"$dir/agent.json" <<JSON
{ "kinesis.endpoint": "$url", "kinesis.region": "us-east-1",
  "flows": [ { "filePattern": "$file", "kinesisStream": "bench", "initialPosition": "START_OF_FILE",
    "maxBufferAgeMillis": 1000 } ] }
JSON
    start=$(date +%s.%N)
    before=$(cpu "$pid")
    "$bin/millrace-agent" run --config "$dir/agent.json" --state-dir "$dir/agent" >"$dir/agent.log" 2>&1 &
    agent=$!
    stored=0
    while [ "$stored" -lt "$lines" ]; do
        sleep 0.1
        kill -0 "$agent" 2>/dev/null || fail "the agent ended:" "$(tail -n 5 "$dir/agent.log")"
        stored=$(curl --silent "$url/metrics" | awk 'index($1, "millrace_records_stored_total{stream=\"bench\"") == 1 { sum += $2 } END { printf "%d", sum }')
        end=$(date +%s.%N)
        awk -v a="$start" -v b="$end" 'BEGIN { exit !(b - a > 600) }' && fail "after 600 s only $stored lines are stored"
        stored=${stored:-0}
    done
    [ "$stored" = "$lines" ] || fail "$stored records are stored for $lines lines"
    awk -v a="$start" -v b="$end" -v bytes="$(stat -c %s "$file")" -v lines="$lines" -v cpu="$(cpu "$agent")" \
        -v peak="$(peak "$agent")" -v before="$before" -v server="$(cpu "$pid")" 'BEGIN {
        mb = bytes / 1e6
        printf "agent      mb_per_s=%.1f lines_per_s=%.0f mb_per_cpu_s=%.1f cpu_s=%.2f peak_mib=%s seconds=%.1f collector_cpu_s=%.2f\n",
            mb / (b - a), lines / (b - a), mb / cpu, cpu, peak, b - a, server - before }'
    kill "$agent" && wait "$agent" 2>/dev/null || true
    agent=''
    stop
    rm -rf "$dir/data" "$file"
}

bench_encryption() {
    serve_collector
    call CreateStream "{\"StreamName\":\"encrypted\",\"ShardCount\":$shards}" >/dev/null
    for ((tries = 0; tries < 100; tries++)); do
        call StartStreamEncryption '{"StreamName":"encrypted","EncryptionType":"KMS","KeyId":"alias/aws/kinesis"}' \
            >/dev/null 2>&1 && break
        sleep 0.1
    done
    sleep 0.5
    for records in 1 500; do
        printf 'PutRecords, %s x 1 KiB, 4 connections, %s s; cpu_us_per_put is the server'"'"'s\n' "$records" "$each"
        for ((round = 1; round <= rounds; round++)); do
            for stream in bench encrypted; do
                line=$(load --stream "$stream" --records "$records")
                printf '%-10s %s\n' "$stream" "$(awk -v line="$line" -v n="$records" -v each="$each" 'BEGIN {
                    for (i = split(line, pairs, " "); i > 0; i--) { split(pairs[i], pair, "="); value[pair[1]] = pair[2] }
                    printf "%s  cpu_us_per_put=%.1f", line,
                        value["server_cpu_s"] * 1e6 / (value["records_per_s"] * each / n) }')"
            done
        done
    done
    stop
    rm -rf "$dir/data"
}

case ${1:-both} in
    collector) bench_collector ;;
    agent) bench_agent ;;
    encryption) bench_encryption ;;
    both) bench_collector && bench_agent ;;
    *) sed -n '2,10s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 64 ;;
esac
