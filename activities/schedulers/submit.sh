# Submit exactly once. The driver sets folder, key and most (jobs of ours at once), and brings find_job, jobs_here,
# put_files and send.
# Answers with one line "hd1 WORD ...": whatever else is printed are words for people.
exec 2>&1
say() { printf '%s\n' "hd1 $*"; exit 0; }
note() { printf '%s\n' "$2" >".$1.$$" && mv -f ".$1.$$" "$1"; }
put() { cat >".$1.$$" && mv -f ".$1.$$" "$1"; }

cd "$folder/.howdah" || say PURGED
owner=
IFS= read -r owner <key
[ "$owner" = "$key" ] || say PURGED

# Whatever `send` starts keeps the lock: if this shell is killed, the next one still waits for the scheduler's answer.
# Where flock is missing or the file system has none, the claim in the job itself keeps duplicates from running.
if command -v flock >/dev/null; then
  true >>lock || say NOWRITE
  exec 9>>lock
  flock -w 20 9 || say BUSY
fi
[ -s job ] && IFS= read -r id <job && say OLD "$id"
[ -e cancel ] && say CANCELLED
if [ -s intent ]; then
  id=$(find_job) || { printf '%s\n' "$id"; say UNKNOWN; }
  [ -n "$id" ] && { note job "$id"; say FOUND "$id"; }
fi
if [ -n "$most" ]; then
  number=$(jobs_here) || { printf '%s\n' "$number"; say NOCOUNT; }
  [ "$number" -lt "$most" ] || say FULL "$number"
fi
put_files || say NOWRITE
note intent "$(date +%s)" || say NOWRITE
send
