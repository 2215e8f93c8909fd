# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# For test scripts, to be sourced: counts what passed, and closes as tests/run/suite expects it.

passed=0 failed=0 skipped=0

pass() {
        passed=$((passed + 1))
}

fail() {
        failed=$((failed + 1))
        echo "FAIL: $*"
}

skip() {
        skipped=$((skipped + 1))
        echo "skipped: $*"
}

# try WHAT COMMAND... - one test: the command succeeds. Its output is shown if it does not.
try() {
        what=$1
        shift
        if output=$("$@" 2>&1); then
                pass
        else
                fail "$what: $*"
                echo "$output"
        fi
}

# same WHAT EXPECTED GOT - one test: two texts are the same.
same() {
        if [ "$2" = "$3" ]; then
                pass
        else
                fail "$1: expected \"$2\", got \"$3\""
        fi
}

# The last line of a script.
closing() {
        echo "$passed passed, $failed failed, $skipped skipped"
        [ "$failed" -eq 0 ]
}
