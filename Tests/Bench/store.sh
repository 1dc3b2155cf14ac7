#!/usr/bin/env bash
# Measures the collector and its shard store, each figure beside its limit or a peer in the same round. Prints tables and
# writes them as JSON. Needs a release build and, once, `packaging/install-dependencies.sh bench`.
#
#     Tests/Bench/store.sh [--quick] [--save] [PART...]      default: all parts
#
#     put      PutRecords and PutRecord beside a floor (hashes, appends, syncs, answers), a null floor (answers), and peers:
#              Redis Streams and NATS JetStream, both syncing every batch, and moto; one cell where a sync takes 2 ms more
#     shards   the same load over 1, 4, 64 and 1,000 active shards, each after a second of it
#     read     GetRecords and SubscribeToShard from the beginning; latency at the tip of a shard while others take all they can
#     idle     memory and CPU with 10,000 shards and 1,000 connections that do nothing
#     open     from the start of the process to `ready`, to the first put on and the first read of every shard, with stores of
#              1, 10 and 100 GB that a SIGKILL under load left; nothing is dropped from the page cache
#
# --quick: few cells, 3 rounds of 3 s, stores of 1 and 100 GB: 10 minutes and not 70. --save: the medians become
# baseline.json, which later runs are compared with. Nothing else should run on the machine: `rest` in the tables says how many
# cores something else took. Begin some minutes after another run: see `discard`.
#
# Environment: MILLRACE_BIN (.build/release), BENCH_DIR (.build/bench, on the disk to measure), RESULT (BENCH_DIR/store.json),
# BASELINE (Tests/Bench/baseline.json), ROUNDS (5; of idle and open 3, quick 1), SECONDS_EACH (8), READ_BYTES (1000000000), IDLE_SECONDS (30), STORE_GB ("1 10 100").
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
bin=${MILLRACE_BIN:-$root/.build/release}
dir=${BENCH_DIR:-$root/.build/bench}
peers=$root/.build-venv-bench/bin
usage() { sed -n '2,23s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 64; }

quick='' save=() parts=()
for argument in "$@"; do
    case $argument in
        --quick) quick=1 ;;
        --save) save=(--save) ;;
        put | shards | read | idle | open) parts+=("$argument") ;;
        *) usage ;;
    esac
done
[ ${#parts[@]} -gt 0 ] || parts=(put shards read idle open)
rounds=${ROUNDS:-${quick:+3}} each=${SECONDS_EACH:-${quick:+3}} shards=4
rounds=${rounds:-5} each=${each:-8} read_bytes=${READ_BYTES:-1000000000}
idle_seconds=${IDLE_SECONDS:-${quick:+10}} store_gb=${STORE_GB:-${quick:+1 100}}
idle_seconds=${idle_seconds:-30} store_gb=${store_gb:-1 10 100}
mkdir -p "$dir/discarded"
results=$dir/store.results
: >"$results"

. "$here/common.sh"
. "$here/peers.sh"
. "$here/stores.sh"

[ -f /usr/include/openssl/evp.h ] || fail "libssl-dev is missing: packaging/install-dependencies.sh bench"
for program in floor load peer read fanout sweep segments; do
    gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -o "$dir/$program" "$here/$program.c" -lcrypto -pthread
done

gcc -O2 -Wall -Wextra -Werror -D_GNU_SOURCE -shared -fPIC -o "$dir/slowsync.so" "$here/slowsync.c"
# The loader goes on without what it can't load.
[ -z "$(LD_PRELOAD="$dir/slowsync.so" env true 2>&1)" ] || fail "$dir/slowsync.so can't be loaded into other programs: choose another BENCH_DIR"

client=''
cleanup() {
    [ -z "$client" ] || kill "$client" 2>/dev/null || true
    stop
    rm -rf "$dir/discarded"
}
trap cleanup EXIT

# note PART CASE SERVER ROUND NAME=VALUE...: one measurement.
note() {
    local part=$1 case=$2 server=$3 round=$4
    shift 4
    printf 'part=%s case=%s server=%s round=%s %s\n' "$part" "$case" "$server" "$round" "$*" | tee -a "$results"
}

# CPU-seconds of the whole machine since it started, those that another machine took of it included.
machine_cpu() { awk -v tick="$(getconf CLK_TCK)" '/^cpu / { printf "%.2f", ($2 + $3 + $4 + $7 + $8 + $9) / tick }' /proc/stat; }

# Sets `ended` to the CPU-seconds of the commands that have ended: this shell's, so it is not called in another.
ended_cpu() {
    times >"$dir/times"
    ended=$(awk 'NR == 2 { split($1 "m" $2, t, /[ms]+/); print t[1] * 60 + t[2] + t[3] * 60 + t[4] }' "$dir/times")
}

# measure PART CASE SERVER ROUND COMMAND...: the line that the command prints, what it cost the server `pid`, and how many
# cores the rest of the machine took meanwhile, the kernel's own threads among it.
measure() {
    local line rc=0 names=("${@:1:4}") begun=$EPOCHREALTIME server machine ended before
    shift 4
    ended_cpu
    before=$ended server=$(cpu "$pid") machine=$(machine_cpu)
    line=$("$@" 2>"$dir/client.err") || rc=$?
    [ "$rc" = 0 ] || line="$line failed=$rc"
    [ "$rc" = 0 ] || head -c 600 "$dir/client.err" >&2
    ended_cpu
    note "${names[@]}" "$line" "$(awk -v s0="$server" -v s1="$(cpu "$pid")" -v m0="$machine" -v m1="$(machine_cpu)" \
        -v e0="$before" -v e1="$ended" -v t0="$begun" -v t1="$EPOCHREALTIME" 'BEGIN {
            rest = (m1 - m0 - (s1 - s0) - (e1 - e0)) / (t1 - t0)
            if (rest < 0) rest = 0
            printf "server_cpu_s=%.2f rest_cores=%.2f", s1 - s0, rest }')" "server_peak_mib=$(peak "$pid")"
}

# discard FILE...: empties what was measured, puts it aside until the end, and lets the disk take it in before something else
# is measured. Removed at once it would slow down the next one: ext4 without a journal looks at all inodes that were set free in
# the last minutes before it makes a file, and a thousand shards are thousands of them.
discard() {
    local path
    find "$@" -type f -size +0 -exec truncate --size 0 {} +
    for path in "$@"; do mv "$path" "$(mktemp --directory "$dir/discarded/XXXXXX")"; done
    sync -f "$dir"
}

serve_floor() {
    export AWS_ACCESS_KEY_ID=floor AWS_SECRET_ACCESS_KEY=floor
    serve "$dir/floor" "$1"
}

# ---- put

# Each cell: wire, records in a call (1: PutRecord), bytes of a record, connections, and microseconds by which the disk's syncs
# are slower.
put_cells() {
    if [ -n "$quick" ]; then
        printf '%s\n' 'json 500 1024 4' 'cbor 500 1024 4' 'json 500 180 4' 'json 1 1024 1' 'json 1 1024 64' 'json 1 1024 64 2000'
        return
    fi
    local wire shape connections
    for wire in json cbor; do
        for shape in '500 1024' '500 180' '1 1024'; do
            for connections in 1 4 64; do printf '%s %s %s\n' "$wire" "$shape" "$connections"; done
        done
    done
    printf '%s\n' 'json 1 1024 64 2000'
}

put_cell() {
    local round=$1 wire=$2 records=$3 size=$4 connections=$5 slower=${6:-}
    local case=$wire-${records}x$size-c$connections${slower:+-sync-$slower-us} options=(--wire "$wire" --size "$size" --connections "$connections" --seconds "$each")
    if [ "$records" = 1 ]; then options+=(--single); else options+=(--records "$records"); fi
    through=(${slower:+env LD_PRELOAD="$dir/slowsync.so" SYNC_MICROSECONDS="$slower"})
    serve_floor -
    measure put "$case" null "$round" "$dir/load" --port "$port" "${options[@]}"
    stop
    serve_floor "$dir/floor.data"
    measure put "$case" floor "$round" "$dir/load" --port "$port" "${options[@]}"
    stop
    discard "$dir/floor.data"
    serve_collector
    measure put "$case" collector "$round" "$dir/load" --port "$port" "${options[@]}"
    stop
    through=()
    discard "$dir/data"
    case $case in json-500x1024-c1 | json-500x1024-c4) put_peers "$round" "$case" "$connections" ;; esac
}

bench_put() {
    local round cell
    for ((round = 1; round <= rounds; round++)); do
        while read -r -a cell; do put_cell "$round" "${cell[@]}"; done < <(put_cells)
    done
}

# ---- shards

bench_shards() {
    local round count
    for ((round = 1; round <= rounds; round++)); do
        for count in 1 4 64 1000; do
            shards=$count serve_collector
            # Of shards that are active, the files are there.
            "$dir/load" --port "$port" --seconds 1 >"$dir/warm.out" || printf 'bench: not warm: %s shards\n' "$count" >&2
            measure shards "shards-$count" collector "$round" "$dir/load" --port "$port" --seconds "$each"
            stop
            discard "$dir/data"
        done
    done
}

# ---- read

# register STREAM NAME: prints the consumer's ARN, when it is ACTIVE.
register() {
    local arn
    arn=$(call RegisterStreamConsumer "{\"StreamARN\":\"arn:aws:kinesis:us-east-1:000000000000:stream/$1\",\"ConsumerName\":\"$2\"}" |
        sed 's/.*"ConsumerARN":"\([^"]*\)".*/\1/')
    for ((tries = 0; tries < 100; tries++)); do
        case $(call DescribeStreamConsumer "{\"ConsumerARN\":\"$arn\"}") in *'"ACTIVE"'*) printf '%s' "$arn" && return ;; esac
        sleep 0.05
    done
    fail "a consumer does not become ACTIVE"
}

# From the beginning: a stream of four shards that was filled just before, so out of the page cache.
read_catch_up() {
    local round consumer
    serve_collector
    "$dir/load" --port "$port" --seconds 3600 --bytes "$read_bytes" >"$dir/fill.out"
    consumer=$(register bench reader)
    for ((round = 1; round <= rounds; round++)); do
        measure read get-records-json collector "$round" "$dir/read" records --port "$port" --shards "$shards"
        measure read get-records-cbor collector "$round" "$dir/read" records --port "$port" --shards "$shards" --wire cbor
        measure read get-records-json-limit-100 collector "$round" "$dir/read" records --port "$port" --shards "$shards" \
            --limit 100 --bytes 100000000
        measure read subscribe-json collector "$round" "$dir/read" subscribe --port "$port" --shards "$shards" --consumer "$consumer"
    done
    stop
    discard "$dir/data"
}

# At the tip: 500 PutRecord calls a second into one shard, and a subscriber of it; then the same while four connections put
# all they can into the stream's other shards. The partition key `k` is of the third shard of four.
read_tail() {
    local round consumer case writer
    for ((round = 1; round <= rounds; round++)); do
        serve_collector
        consumer=$(register bench reader)
        for case in tail-idle tail-under-load; do
            : >"$dir/tail.out"
            "$dir/fanout" subscribe --port "$port" --consumer "$consumer" --shard shardId-000000000002 \
                --seconds $((each + 3)) >"$dir/tail.out" 2>"$dir/tail.err" &
            client=$!
            for ((tries = 0; tries < 200; tries++)); do
                ! grep -q '^open' "$dir/tail.out" || break
                sleep 0.05
            done
            writer=''
            if [ "$case" = tail-under-load ]; then
                "$dir/load" --port "$port" --spare 2/4 --seconds $((each + 1)) >"$dir/writer.out" &
                writer=$!
                sleep 0.5
            fi
            "$dir/fanout" put --port "$port" --rate 500 --size 100 --seconds "$each" >"$dir/put.out"
            local rc=0
            wait "$client" || rc=$?
            client=''
            [ -z "$writer" ] || wait "$writer" || rc=$?
            [ "$rc" = 0 ] || head -c 600 "$dir/tail.err" >&2
            note read "$case" collector "$round" "$(tail -n 1 "$dir/tail.out" | sed 's/^subscribe //')" \
                "$([ -z "$writer" ] || sed 's/^records_per_s=\([0-9]*\) .*/writer_records_per_s=\1/' "$dir/writer.out")" \
                "$([ "$rc" = 0 ] || printf 'failed=%s' "$rc")" "server_peak_mib=$(peak "$pid")"
            # A consumer's next subscription within 5 s would be refused.
            sleep 5
        done
        stop
        discard "$dir/data"
    done
}

bench_read() {
    read_catch_up
    read_tail
}

few_rounds=$((rounds > 3 ? 3 : rounds))
[ -z "$quick" ] || few_rounds=1
ulimit -n "$(ulimit -Hn)"
for part in "${parts[@]}"; do "bench_$part"; done
python3 "$here/report.py" "$results" --json "${RESULT:-$dir/store.json}" \
    --baseline "${BASELINE:-$here/baseline.json}" --disk "$dir" \
    --settings "$rounds rounds of $each s${quick:+, quick}" "${save[@]}"
