#!/usr/bin/env bash
# Attacks every reader of foreign bytes with libFuzzer under the address sanitizer. Ends with 0 when nothing was found; a
# finding's input is left in .build-fuzz/findings and named in the output.
#
#     Tests/Fuzz/run.sh [SECONDS each, default 60] [TARGET...]      default: all targets
#     Tests/Fuzz/run.sh replay TARGET FILE...                      reads inputs again, one by one
#
# What was learned is kept in .build-fuzz/corpus. Environment: FUZZ_BUILD_ARGUMENTS, more arguments for `swift build`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=.build-fuzz
corpus=$build/corpus findings=$build/findings

# Coverage and the sanitizer go into every module; `@testable` reaches the scanners inside of the collector.
MILLRACE_FUZZ=1 swift build -c release --scratch-path "$build" --product Fuzz --sanitize address \
    -Xswiftc -sanitize=fuzzer -Xswiftc -enable-testing -Xswiftc -use-ld=lld -Xcc -fsanitize-coverage=inline-8bit-counters,pc-table \
    ${FUZZ_BUILD_ARGUMENTS:-} >&2
fuzz=$build/release/Fuzz

mkdir -p "$corpus" "$findings"
"$fuzz" seeds "$corpus"

if [ "${1:-}" = replay ]; then
    target=$2
    shift 2
    exec "$fuzz" "$target" "$@"
fi

seconds=${1:-60}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <("$fuzz" list)
failed=()
for target in "${targets[@]}"; do
    printf '== %s, %s s\n' "$target" "$seconds"
    log=$build/$target.log
    words=()
    [ ! -s "$corpus/$target.words" ] || words=("-dict=$corpus/$target.words")
    if "$fuzz" "$target" "$corpus/$target" "${words[@]}" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$findings/$target-" >"$log" 2>&1; then
        grep -E 'number_of_executed_units|new_units_added' "$log" | sed 's/^stat:://'
    else
        failed+=("$target")
        grep -E 'Fatal error|ERROR|SUMMARY|Test unit written' "$log" || tail -n 20 "$log"
    fi
done
if [ ${#failed[@]} -gt 0 ]; then
    printf 'fuzz: findings in %s\n' "${failed[*]}" >&2
    exit 1
fi
