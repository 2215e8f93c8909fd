# SPDX-License-Identifier: MIT
#
# awk -f orders.awk FILE...    the memory orders of C sources that are stronger than relaxed, and the
# full fences, a line for each way to weaken one: "FILE FIRST LAST CALL [not-]FROM-TO", where the
# call stands in those lines, and not- is the order of an exchange that is not done. Not those that
# are in test builds only, which models are not.

function strength(word) {
        sub(/.*(memory_order_|__ATOMIC_)/, "", word)
        return tolower(word)
}
function weaker(to) { print FILENAME, first, FNR, name, to }
function call_ends(   n, word, i, if_not) {
        gsub(/[^A-Za-z_]+/, " ", text)
        n = split(text, word, " ")
        if_not = ""
        for (i = 1; i <= n; i++) {
                if (word[i] !~ /^(memory_order_|__ATOMIC_)/)
                        continue
                from = strength(word[i])
                if (from == "acquire" || from == "release")
                        weaker(if_not from "-relaxed")
                else if (from == "acq_rel") {
                        weaker(from "-acquire")
                        weaker(from "-release")
                } else if (from == "seq_cst") {
                        to = name ~ /store/ ? "-release" : "-acq_rel"
                        if (name ~ /load/ || if_not != "")
                                to = "-acquire"
                        weaker(if_not from to)
                }
                if_not = name ~ /compare_exchange/ ? "not-" : ""
        }
}
BEGIN { call = "^(__atomic_[a-z_]+|atomic_[a-z_]+_explicit)[(]" }
FNR == 1 { deep = 0; comment = 0; ifs = 0; of_tests = 0 }
/^#if/ {
        ifs++
        if (!of_tests && /^#if defined\((WEFT_TEST_HOOKS|WEFT__TELLS)\)/ && !/\|\|/) of_tests = ifs
}
/^#e/ && of_tests == ifs { of_tests = 0 }
/^#endif/ { ifs-- }
of_tests { next }
{
        line = $0
        while (line != "") {
                if (comment) {
                        end = index(line, "*/")
                        if (!end) break
                        line = substr(line, end + 2)
                        comment = 0
                } else if (line ~ /^\/\*/) {
                        comment = 1
                        line = substr(line, 3)
                } else if (!deep && match(line, call)) {
                        name = substr(line, 1, RLENGTH - 1)
                        line = substr(line, RLENGTH + 1)
                        first = FNR
                        deep = 1
                        text = ""
                } else if (!deep && line ~ /^weft__fence\(\);/) {
                        first = FNR
                        name = "weft__fence"
                        weaker("fence-none")
                        break
                } else {
                        c = substr(line, 1, 1)
                        line = substr(line, 2)
                        if (!deep) continue
                        text = text c
                        if (c == "(") deep++
                        if (c == ")" && !--deep) call_ends()
                }
        }
        text = text " "
}
