# The processes of a job carry its key in their environment: no file to go stale, and a number that the kernel gives to
# somebody else finds nothing. Set before: key.
keyed() { grep -lzxF -e "HOWDAH_KEY=$key" /proc/[0-9]*/environ 2>/dev/null | sed -n 's,^/proc/\([0-9]*\)/environ$,\1,p'; }

# Sets session and born (clock ticks since boot) of a process. Its name, which comes first, may hold blanks and brackets.
# A zombie is gone: it only waits for its parent to notice, and in containers that may take for ever.
stat_of() {
  { IFS= read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
  # shellcheck disable=SC2086
  set -- ${line##*) }
  case $1 in Z | X) return 1 ;; esac
  session=$4
  born=${20}
}

# Programs that were started with an empty environment still belong to the session of the wrapper, while that lives.
in_session() {
  leader=${1%%.*}
  [ -n "$leader" ] && stat_of "$leader" && [ "$born" = "${1#*.}" ] || return 0
  for folder_of in /proc/[0-9]*; do
    stat_of "${folder_of#/proc/}" && [ "$session" = "$leader" ] && printf '%s\n' "${folder_of#/proc/}"
  done
}

# Ends what `$2` lists: asked politely first, killed after `$1` tenths of a second.
end_processes() {
  patience=$1
  found=$($2)
  [ -z "$found" ] && return 0
  # shellcheck disable=SC2086
  kill -s TERM $found 2>/dev/null
  # shellcheck disable=SC2086
  kill -s CONT $found 2>/dev/null
  while [ "$patience" -gt 0 ]; do
    sleep 0.1
    found=$($2)
    [ -z "$found" ] && return 0
    patience=$((patience - 1))
  done
  tries=20
  while [ -n "$found" ] && [ "$tries" -gt 0 ]; do
    # shellcheck disable=SC2086
    kill -s KILL $found 2>/dev/null
    sleep 0.05
    found=$($2)
    tries=$((tries - 1))
  done
}
