# SPDX-License-Identifier: MIT
# shellcheck shell=sh
#
# For museum, to be sourced: models built with a change in the library. make says how: in
# $MODEL_BUILD is the build of the variant, in $MODEL_COMPILE and $MODEL_LINK the commands, in
# $MODEL_OBJECTS the checker.

# copy_sources DIR - a copy of the sources in DIR/src, to be changed there
copy_sources() {
        mkdir -p "$1/src/tests"
        cp -r context pool "$1/src"
        cp -r tests/model "$1/src/tests"
        ln -sfn "$PWD/include" "$1/src/include"
}

# users FILE DEPENDENCIES... - the sources that have to be compiled again, but for those that models
# do without: what fakes.c stands for, and those who look at tasks from a copy of the process
users() {
        file_used=$1
        shift
        case $file_used in
        *.c) echo "$file_used" ;;
        *) grep -l -F " $file_used" "$@" | sed "s|^$MODEL_BUILD/obj/||; s|\.d$||" |
                grep -v -x -e pool/stacks.c -e pool/overflow.c -e context/memory.c \
                        -e pool/look.c -e pool/dump.c -e pool/dump_signal.c -e pool/watch.c ;;
        esac
}

# compile DIR SOURCE - the changed source, into an object of DIR; what went wrong is in DIR/log
compile() {
        (cd "$1/src" && $MODEL_COMPILE -w "$2" -o "$1/$(echo "$2" | tr / -).o") >"$1/log" 2>&1
}

# build_library DIR FILE - compile what FILE, which was changed, is a part of
build_library() {
        for source in $(users "$2" "$MODEL_BUILD"/obj/context/*.d "$MODEL_BUILD"/obj/pool/*.d); do
                compile "$1" "$source" || return 1
        done
}

# build_program DIR FILE PROGRAM - a program of models with that, as DIR/PROGRAM
build_program() {
        model_object=$MODEL_BUILD/obj/tests/model/$3.c.o
        case $2 in
        *.h)
                if grep -q -F " $2" "$MODEL_BUILD/obj/tests/model/$3.c.d"; then
                        compile "$1" "tests/model/$3.c" || return 1
                        model_object=$1/tests-model-$3.c.o
                fi
                ;;
        esac
        # shellcheck disable=SC2086,SC2046 # words
        $MODEL_LINK $model_object $MODEL_OBJECTS \
                $(find "$1" -maxdepth 1 -name 'context-*.o' -o -maxdepth 1 -name 'pool-*.o') \
                "$MODEL_BUILD/libweft.a" -o "$1/$3" >"$1/log" 2>&1
}
