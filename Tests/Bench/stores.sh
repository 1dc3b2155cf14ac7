# What a store costs that nothing is done with, and how soon one is open again. Sourced by store.sh.

resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }

# ---- idle

# stage CASE ROUND COUNT BEFORE: notes the collector's memory, per each of COUNT things since it was BEFORE KiB, and its CPU
# over `idle_seconds`.
stage() {
    local rss before
    # What creating left behind, upkeep included, is over then.
    sleep 6
    rss=$(resident "$pid") before=$(cpu "$pid")
    sleep "$idle_seconds"
    note idle "$1" collector "$2" "$(awk -v rss="$rss" -v count="$3" -v kib="$4" -v a="$before" -v b="$(cpu "$pid")" \
        -v seconds="$idle_seconds" 'BEGIN {
            printf "rss_mib=%.1f cpu_percent=%.2f", rss / 1024, (b - a) * 100 / seconds
            if (count > 0) printf " kib_each=%.2f", (rss - kib) / count
        }')" "server_peak_mib=$(peak "$pid")"
}

bench_idle() {
    local round stream rss
    for ((round = 1; round <= few_rounds; round++)); do
        serve_collector
        stage empty "$round" 0 0
        rss=$(resident "$pid")
        for stream in 0 1 2 3 4 5 6 7 8 9; do create_stream "idle$stream" 1000; done
        stage 10000-shards "$round" 10000 "$rss"
        for stream in 0 1 2 3 4 5 6 7 8 9; do
            "$dir/sweep" put --port "$port" --stream "idle$stream" --shards 1000 --connections 64 >"$dir/sweep.out"
        done
        stage 10000-shards-written "$round" 10000 "$rss"
        rss=$(resident "$pid")
        "$dir/sweep" hold --port "$port" --connections 1000 --seconds 3600 >"$dir/hold.out" &
        client=$!
        for ((tries = 0; tries < 400; tries++)); do
            ! grep -q '^open' "$dir/hold.out" || break
            sleep 0.05
        done
        stage and-1000-connections "$round" 1000 "$rss"
        measure idle and-1000-shards-active collector "$round" "$dir/load" --port "$port" --stream idle0 --seconds "$each"
        kill "$client" && wait "$client" 2>/dev/null || true
        client=''
        stop
        discard "$dir/data"
    done
}

# ---- open
#
# A store of many GB is made of few: one sealed segment of real frames, whose data is zeros so that copies of it are sparse (a tenth of a percent is data),
# is put at each base of each shard's history. What stands behind the history is written by the collector itself, stopped
# once and killed the second time: so each shard has a snapshot of its producers, real records, and an unsynced tail.

# make_segment FILE: one sealed segment.
make_segment() {
    local log
    shards=1 serve_collector
    "$dir/load" --port "$port" --zeros --records 4 --size 1000000 --bytes 200000000 --seconds 600 >"$dir/fill.out"
    stop
    log=$(printf '%s\n' "$dir"/data/log/*/0/0000000000000000.log)
    [ -f "$log" ] || fail "no segment in $dir/data/log: this part knows the log of Sources/EmbeddedLog/Segment.swift alone"
    mv "$log" "$1"
    discard "$dir/data"
}

# make_store SEGMENT COPIES SHARDS: a store with so many segments in each shard, killed under load.
make_store() {
    local base shard log writer
    base=$(($2 * $(stat -c %s "$1")))
    shards=$3 serve_collector
    stop
    log=$(printf '%s\n' "$dir"/data/log/*/0) log=${log%/0}
    for ((shard = 0; shard < $3; shard++)); do
        rm -f "$log/$shard"/*.log
        "$dir/segments" start "$log/$shard" "$base"
    done
    # The snapshots are written when it stops.
    serve_store
    "$dir/load" --port "$port" --seconds 2 >"$dir/fill.out"
    stop
    for ((shard = 0; shard < $3; shard++)); do "$dir/segments" copy "$1" "$log/$shard" "$2" >"$dir/segments.out"; done
    sync -f "$dir"
    serve_store
    "$dir/load" --port "$port" --seconds 3600 >"$dir/writer.out" 2>"$dir/writer.err" &
    writer=$!
    sleep "$each"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    pid=''
    wait "$writer" 2>/dev/null || true
}

ready_fd=''
# serve_store: the collector on the store that is there. Sets url, port, and begun and ready, in seconds since 1970.
serve_store() {
    [ -z "$ready_fd" ] || exec {ready_fd}<&-
    rm -f "$dir/ready" && mkfifo "$dir/ready"
    begun=$EPOCHREALTIME
    "$bin/millrace-collector" run --data-dir "$dir/data" --listen 127.0.0.1:0 --limits none >"$dir/ready" 2>"$dir/server.log" &
    pid=$!
    exec {ready_fd}<"$dir/ready"
    read -r -u "$ready_fd" _ url || fail "the collector ended:" "$(tail -n 5 "$dir/server.log")"
    ready=$EPOCHREALTIME url=${url%/} port=${url##*:}
}

bench_open() {
    local round gb copies count size segment=$dir/template.segment tail_bytes segments bytes putter
    make_segment "$segment"
    for ((round = 1; round <= few_rounds; round++)); do
        for gb in $store_gb; do
            # 64 shards, or fewer, so that each has two segments at least.
            size=$(stat -c %s "$segment")
            count=$((gb * 1000000000 / size / 2)) count=$((count > 64 ? 64 : count))
            copies=$(((gb * 1000000000 + size * count / 2) / size / count))
            make_store "$segment" "$copies" "$count"
            # Behind the history: what the collector wrote itself. Its last segments are what it may have to read.
            tail_bytes=$(for shard in "$dir"/data/log/*/*/; do
                find "$shard" -name '*.log' -printf '%f %s\n' | sort | tail -n 1
            done | awk '{ sum += $2 } END { print sum }')
            segments=$(find "$dir/data/log" -name '*.log' | wc -l)
            bytes=$(du -sb "$dir/data/log" | cut -f 1)
            serve_store
            "$dir/sweep" put --port "$port" --shards "$count" >"$dir/sweep-put.out" &
            putter=$!
            "$dir/sweep" read --port "$port" --shards "$count" >"$dir/sweep-read.out"
            wait "$putter"
            note open "${gb}-gb" collector "$round" "$(awk -v a="$begun" -v b="$ready" \
                -v put="$(sed 's/.*ended=//' "$dir/sweep-put.out")" -v read="$(sed 's/.*ended=//' "$dir/sweep-read.out")" \
                -v bytes="$bytes" -v tails="$tail_bytes" 'BEGIN {
                    printf "ready_s=%.3f put_s=%.3f read_s=%.3f store_gb=%.1f active_segments_mb=%.0f",
                        b - a, put - a, read - a, bytes / 1e9, tails / 1e6 }')" \
                "shards=$count" "segments=$segments" "server_cpu_s=$(cpu "$pid")" "server_peak_mib=$(peak "$pid")"
            stop
            discard "$dir/data"
        done
    done
    rm -f "$segment"
}
