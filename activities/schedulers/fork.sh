# How a machine without a scheduler finds, takes and ends jobs by key. Set before: key, folder;
# to submit also root, memory (in KiB), most.
settles=0
self=$$

find_job() {
  readlink claim && return 0
  # Started, but not yet as far as its claim: nobody can tell.
  [ -z "$(keyed)" ]
}

# How many wait for a slot or hold one. The tickets of those that were ended while they waited are taken away by who
# comes after them: before it is said that there is no room for him, that is done here.
jobs_here() {
  count_here
  if [ "$number" -ge "$most" ]; then
    remove_left_tickets
    count_here
  fi
  echo "$number"
}

# Whoever looks for a free slot while we try its lock looks again.
count_here() {
  number=0
  for file in "$root"/.slots/ticket.*; do [ -e "$file" ] && number=$((number + 1)); done
  for file in "$root"/.slots/slot.*; do
    [ -e "$file" ] && ! flock -n "$file" true && number=$((number + 1))
  done
}

# Under the lock in which a ticket is made: before that is over, nobody holds it.
remove_left_tickets() (
  cd "$root/.slots" && true >>lock || exit 0
  exec 6>>lock
  flock 6
  for file in ticket.*; do [ -e "$file" ] && flock -n "$file" rm -f "$file"; done
) 2>/dev/null

# The ticket says whose turn it is. Its lock is taken here and inherited by the wrapper: there is no moment in which
# nobody holds it, and it is free as soon as the wrapper is gone, however it went.
send() {
  for program in flock setsid grep; do
    command -v "$program" >/dev/null || { echo "The program $program is missing."; refuse; }
  done
  if [ -n "$memory" ]; then
    has=$(sed -n -E 's/^MemTotal: *([0-9]+) kB/\1/p' /proc/meminfo)
    if [ "${has:-0}" -lt "$memory" ]; then
      echo "The job asks for $memory KiB of memory; this machine has ${has:-0} KiB in all."
      refuse
    fi
  fi
  mkdir -p "$root/.slots" || say NOWRITE
  start || say NOWRITE
  tries=500
  while [ ! -L claim ] && [ "$tries" -gt 0 ]; do
    sleep 0.02
    tries=$((tries - 1))
  done
  id=$(readlink claim) || say UNKNOWN
  note job "$id"
  say NEW "$id"
}

refuse() {
  rm -f intent
  say FAILED 1
}

start() (
  for name in $(env | sed -n -E 's/^((SLURM|SBATCH|TEMPORAL|HOWDAH)_[A-Za-z0-9_]*)=.*/\1/p'); do unset "$name"; done
  unset LC_ALL # ours, not the user's
  umask 022
  cd "$root/.slots" && true >>lock || exit 1
  exec 6>>lock
  flock 6
  last=0
  [ -s last ] && read -r last <last
  ticket=$((last + 1))
  printf '%s\n' "$ticket" >last.new && mv -f last.new last && true >"ticket.$ticket" || exit 1
  exec 7>>"ticket.$ticket"
  flock -n 7 || exit 1
  cd "$folder" && true >>.howdah/log || exit 1
  HOWDAH_KEY=$key HOWDAH_FOLDER=$folder HOWDAH_TICKET=$ticket setsid /bin/sh "$folder/.howdah/script" \
    </dev/null >>.howdah/log 2>&1 6>&- 9>&- &
)

everything() { { keyed; in_session "$(readlink claim 2>/dev/null)"; } | sort -u; }
kill_job() { end_processes 50 everything; }
left() { everything | tr '\n' ' '; }
