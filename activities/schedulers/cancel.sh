# Leave a tombstone, tell the job to go, and look. The driver sets folder, key and made_by (if not empty: nothing
# is done unless the folder is of that origin), and brings kill_job and left (prints what is still there; fails when it
# cannot tell). Answers with one line "hd1 WORD ...".
exec 2>&1
say() { printf '%s\n' "hd1 $*"; exit 0; }
note() { printf '%s\n' "$2" >".$1.$$" && mv -f ".$1.$$" "$1"; }

owner=
cd "$folder/.howdah" 2>/dev/null && IFS= read -r owner <key
if [ -n "$made_by" ]; then
  origin=
  [ "$owner" = "$key" ] && [ -f origin ] && IFS=' ' read -r origin _ <origin
  [ "$origin" = "$made_by" ] || say FOREIGN
fi
busy=
if [ "$owner" = "$key" ]; then
  # Before the lock: a job that starts while somebody else holds it must see the tombstone, too.
  note cancel "$(date +%s)" || touch cancel # which needs no room on a full disk
  [ -e cancel ] || say FAILED
  if command -v flock >/dev/null && true >>lock; then
    exec 9>>lock
    # Only 1 tells that somebody else has it: all else, that the file system has no locks.
    flock -w 2 9 2>/dev/null || [ $? -ne 1 ] || busy=1
  fi
else
  # Nothing of ours is here, so nothing was submitted from here; what runs elsewhere under the key must go all the same.
  cd / || say FAILED
fi

said=$(kill_job) || { printf '%s\n' "$said"; say FAILED; }
for pause in 0.3 0.7 1 0; do
  found=$(left) || { printf '%s\n' "$found"; say FAILED; }
  [ -z "$found" ] && break
  sleep "$pause"
done
[ -n "$found" ] && say STILL $found
[ -n "$busy" ] && say STILL submitting
id=
begun=0
if [ "$owner" = "$key" ]; then
  [ -s job ] && IFS= read -r id <job
  [ -n "$id" ] || id=$(readlink claim 2>/dev/null)
  [ -f start ] && begun=1
  # A submission whose answer was lost may still be on its way: look again until it must have arrived.
  # By the file system's one clock: those of two login nodes may differ.
  if [ -z "$id" ] && [ -s intent ]; then
    age=$(($(stat -c %Y cancel) - $(stat -c %Y intent)))
    [ "$age" -lt "$settles" ] && say STILL "on its way"
  fi
fi
say GONE "$begun" "$id"
