# Set before: mark (a word that no job can know). Functions to print what is new in the logs of jobs.
say() { printf '\n%s %s\n' "$mark" "$*"; }

# number, folder: go there, and tell whether the program has ended; before anything is read, so that what is read then is
# all. A batch job that is begun again writes its logs again: `runs` tells one time from the next.
enter() {
  cd "$2/.howdah" 2>/dev/null || { say "$1" GONE; return 1; }
  over=RUNNING
  for f in end*; do [ -e "$f" ] && over=ENDED; done
  if [ -e end ] && IFS= read -r record <end; then
    case $record in "exit_code=0 "*) over=WELL ;; esac
  fi
  runs=0
  for f in begun*; do [ -L "$f" ] && runs=$((runs + 1)); done
  say "$1" "$over"
  # A network file system looks anew for the size of a file when that is opened.
  true 2>/dev/null <stdout
  true 2>/dev/null <stderr
  stdout= stderr=
  # shellcheck disable=SC2046
  set -- $(ls -Lni stdout stderr 2>/dev/null)
  while [ $# -ge 10 ]; do
    case ${10} in
      stdout) stdout="$1.$runs $6" ;;
      stderr) stderr="$1.$runs $6" ;;
    esac
    shift 10
  done
}

# stream, offset, file, most, lines (empty: all), slack
part() {
  case $1 in stdout) found=$stdout ;; *) found=$stderr ;; esac
  [ -n "$found" ] || return 0
  file=${found% *} size=${found#* } at=$2 how=ON
  if [ -n "$3" ]; then
    if [ "$3" != "$file" ] || [ "$size" -lt "$at" ]; then
      at=0 how=ANEW
    elif [ "$size" -eq "$at" ]; then
      return 0
    fi
  elif [ -n "$5" ]; then
    [ "$size" -gt "$4" ] && at=$((size - $4))
    say LOG "$1" LAST "$file" "$at" "$size"
    tail -c +$((at + 1)) "$1" 2>/dev/null | head -c $((size - at)) | tail -n "$5"
    return 0
  fi
  if [ $((size - at)) -gt "$6" ]; then
    at=$((size - $4)) from=$at
    [ "$how" = ON ] && how=LATER
  elif [ "$at" -gt 64 ]; then
    from=$((at - 64))
  else
    from=0
  fi
  n=$((size - at))
  [ "$n" -gt "$4" ] && n=$4
  say LOG "$1" "$how" "$file" "$at" "$size"
  tail -c +$((from + 1)) "$1" 2>/dev/null | head -c $((n + at - from))
}
