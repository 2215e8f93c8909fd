# SPDX-License-Identifier: MIT
#
# Run a program to its end, and print each probe that it comes to, with its arguments: a line each.
set pagination off
set confirm off
set debuginfod enabled off
set print thread-events off

# The library is to be there.
tbreak main
run

break -probe-stap weft:submit
commands
silent
printf "submit pool %#lx fn ", $_probe_arg0
output/a $_probe_arg1
printf " arg %#lx\n", $_probe_arg2
continue
end

break -probe-stap weft:start
commands
silent
printf "start pool %#lx run %#lx fn ", $_probe_arg0, $_probe_arg1
output/a $_probe_arg2
printf " arg %#lx\n", $_probe_arg3
continue
end

break -probe-stap weft:park
commands
silent
printf "park run %#lx task %d\n", $_probe_arg0, $_probe_arg1 != 0
continue
end

break -probe-stap weft:resume
commands
silent
printf "resume run %#lx task %d\n", $_probe_arg0, $_probe_arg1 != 0
continue
end

break -probe-stap weft:end
commands
silent
printf "end run %#lx result %d\n", $_probe_arg0, $_probe_arg1
continue
end

continue
