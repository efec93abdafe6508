# Submit exactly once. The driver sets folder, key and most (jobs of ours at once), and brings find_job, jobs_here,
# put_files and send.
# Answers with one line "hd1 WORD ...": whatever else is printed are words for people.
patience=20
counted=
began=
say() { printf '%s\n' "hd1 $*"; exit 0; }
note() { printf '%s\n' "$2" >".$1.$$" && mv -f ".$1.$$" "$1"; }
# Without a process for each file, unless it fails: cat tells why, printf does not.
put() {
  { printf '%s' "$2" 2>/dev/null >".$1.$$" || printf '%s' "$2" | cat >".$1.$$"; } && mv -f ".$1.$$" "$1"
}

# Sets number, or words, and counted: yes or no.
count_jobs() {
  counted=yes
  number=$(jobs_here) && return
  counted=no
  words=$number
}

submit_job() {
  cd "$folder/.howdah" || say PURGED
  owner=
  IFS= read -r owner <key
  [ "$owner" = "$key" ] || say PURGED

  # Whatever `send` starts keeps the lock: if this shell is killed, the next one still waits for the scheduler's answer.
  # Where flock is missing or the file system has none, the claim in the job itself keeps duplicates from running.
  # Only with 1 does flock tell that somebody else has the lock.
  if command -v flock >/dev/null; then
    true >>lock || say NOWRITE
    exec 9>>lock
    flock -w "$patience" 9 2>/dev/null || [ $? -ne 1 ] || say BUSY
  fi
  [ -s job ] && IFS= read -r id <job && say OLD "$id"
  [ -e cancel ] && say CANCELLED
  if [ -s intent ]; then
    id=$(find_job) || { printf '%s\n' "$id"; say UNKNOWN; }
    [ -n "$id" ] && { note job "$id"; say FOUND "$id"; }
  fi
  if [ -n "$most" ]; then
    # Counted for many at once: those who go before will be there, too.
    [ -n "$counted" ] || { ahead=0; count_jobs; }
    [ "$counted" = yes ] || { printf '%s\n' "$words"; say NOCOUNT; }
    [ "$((number + ahead))" -lt "$most" ] || say FULL "$((number + ahead))"
  fi
  put_files || say NOWRITE
  note intent "${began:-$(date +%s)}" || say NOWRITE
  send
}
