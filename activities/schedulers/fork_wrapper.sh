# Set before: key, root, running (how many at a time; empty: as many as processors), walltime (seconds; empty: none).
slots=$root/.slots
others() { keyed | grep -vx "$spare"; }
if [ "${1:-}" = sweep ]; then
  # A process of its own, without the key in its environment: it must not find itself.
  spare=$2
  end_processes "$3" others
  exit 0
fi
ticket=$HOWDAH_TICKET
unset HOWDAH_TICKET
stat_of $$
me=$$.$born
IFS= read -r boot </proc/sys/kernel/random/boot_id
about="boot=$boot"
running=${running:-$(getconf _NPROCESSORS_ONLN)}

sweep() { (unset HOWDAH_KEY; exec /bin/sh "$h/script" sweep $$ "$1" </dev/null); }

# First come, first served: everybody waits for the one before him, only the first in the queue looks for a free slot.
take_turn() {
  while before=$(one_before) && [ -n "$before" ]; do
    flock "$slots/ticket.$before" true 7>&-
    rm -f "$slots/ticket.$before"
  done
  pause=0.1
  [ "$running" -gt 4 ] && pause=0.3
  [ "$running" -gt 16 ] && pause=1
  until take_slot; do sleep "$pause" 7>&-; done
  rm -f "$slots/ticket.$ticket"
  exec 7>&-
}

one_before() {
  best=
  for file in "$slots"/ticket.*; do
    number=${file##*.}
    case $number in *[!0-9]* | '') continue ;; esac
    [ "$number" -lt "$ticket" ] && [ "$number" -gt "${best:-0}" ] && best=$number
  done
  printf '%s' "$best"
}

# All processes of the job inherit the lock: the slot is free when the last of them is gone.
take_slot() {
  number=0
  while [ "$number" -lt "$running" ]; do
    number=$((number + 1))
    exec 8>>"$slots/slot.$number"
    flock -n 8 && return 0
  done
  exec 8>&-
  return 1
}

begin_watch() {
  [ -n "$walltime" ] || return 0
  trap 'expire' ALRM
  # The number of the wrapper may be somebody else's by then.
  (sleep "$walltime"; stat_of $$ && [ "$$.$born" = "$me" ] && kill -s ALRM $$) &
}

expire() {
  got=1
  expired=walltime
  sweep 100 &
}

clear_away() { sweep 20; }
