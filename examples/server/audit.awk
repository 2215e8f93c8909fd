# SPDX-License-Identifier: MIT
#
# Whether what load.lua asked for was done under the right names. Reads, in this order:
#
#   what=responses   "STATUS ID": what clients saw
#   what=rows        "TAG ID USER PART": the notes in the database
#   what=log         the server's log
#
# and prints a line "NAME COUNT" for each thing counted. A tag is data of the request; the id and
# the user beside it are what the server took from the context.

function code(tag) { return "u" substr(tag, 5, 8) }

what == "responses" {
        n["responses"]++
        if ($1 == "FOREIGN") { n["foreign_responses"]++; next }
        seen["tag-" substr($2, 4, 32)] = $1
}

what == "rows" {
        n["rows"]++
        if (substr($2, 4, 32) != substr($1, 5)) n["rows_under_a_foreign_id"]++
        if ($3 != code($1)) n["rows_under_a_foreign_user"]++
        parts[$1] = parts[$1] " " $4
        rows[$1]++
}

what == "log" && match($0, /tag-[0-9a-f]+/) {
        tag = substr($0, RSTART, RLENGTH)
        n["log_lines"]++
        if (substr($2, 4, 32) != substr(tag, 5)) n["log_lines_under_a_foreign_id"]++
        if ($3 != code(tag)) n["log_lines_under_a_foreign_user"]++
        if ($4 ~ /^[0-9][0-9][0-9]$/) {
                status[tag] = $4
                expected[tag] = $6 ~ /^\/fan/ ? 4 : $6 ~ /^\/slow/ ? 1 : $5 == "POST" ? 2 : 0
                if ($6 ~ /^\/slow/) n[$4 == 200 ? "slow_that_ended" : "slow_that_did_not_end"]++
        }
}

END {
        for (tag in seen)
                if (seen[tag] != status[tag]) n["responses_that_the_log_tells_otherwise"]++
        for (tag in rows)
                if (status[tag] != 200) n["transactions_without_a_200"]++
        for (tag in status) {
                n["status_" status[tag]]++
                if (status[tag] != 200 || !expected[tag]) continue
                n["writing_requests"]++
                if (!(tag in rows)) n["200_without_a_transaction"]++
                else if (rows[tag] != expected[tag]) n["transactions_by_half"]++
        }
        for (name in n) print name, n[name]
}
