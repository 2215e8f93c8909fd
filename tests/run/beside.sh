# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For scripts of the same directory, to be sourced: suites side by side. Two at once, since most of
# the time a test leaves a processor idle. $log is their directory.

counts='^[0-9]* passed, [0-9]* failed, [0-9]* skipped$'

# beside WORDS COMMAND NAME... - begin it; NAME is also that of its output. What it prints comes
# when it has ended, behind its name, the words and how long it took; its last counts are summed up.
beside() {
        local words=$1
        shift
        while [ "$(jobs -rp | wc -l)" -ge 2 ]; do
                wait -n
        done
        {
                start=$SECONDS
                "$@" >"$log/$2.says" 2>&1
                { grep "$counts" "$log/$2.says" || echo '0 passed, 1 failed, 0 skipped'; } |
                        tail -n 1 >>"$log/counts"
                printf '==== %s: %s, %d s\n%s\n' "$2" "$words" $((SECONDS - start)) \
                        "$(cat "$log/$2.says")"
        } &
}

# briefly FILE SUITE ARGUMENT... - run it; what it says is in the file, and here if it failed
briefly() {
        local out=$1
        shift
        "$@" >"$out" 2>&1 </dev/null
        grep -v ' 0 failed, ' "$out"
        tail -n 1 "$out"
}

# The sum of all, once they have ended.
sum_up() {
        wait
        awk '{ p += $1; f += $3; s += $5 }
             END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 }' "$log/counts"
}
