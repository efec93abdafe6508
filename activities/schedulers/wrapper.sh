# What the scheduler runs. Set before: folder, key, me (the native id), runs (the shell of the user's part) and the
# functions take_turn, begin_watch and clear_away. Ends as the user's part does, or with
#   213  another batch job has claimed this attempt        214  the folder is gone or is not ours
#   215  cancelled before it began                      216  no claim can be made: no room, or nothing may be written
h=$folder/.howdah
board=${folder%/*/*/*}/.howdah/$(id -u)/ended
note() { printf '%s\n' "$2" >"$h/.$1.$$" && mv -f "$h/.$1.$$" "$h/$1"; }
# A scheduler forgets exit codes; the log, which duplicates write to as well, does not.
leave() { echo "howdah leaves $me $1"; exit "$1"; }

cd "$folder" || leave 214
owner=
IFS= read -r owner <"$h/key"
[ "$owner" = "$key" ] || leave 214

# A symlink is made atomically on every file system, and says whose it is.
ln -s "$me" "$h/claim" 2>/dev/null
[ -L "$h/claim" ] || leave 216
[ "$(readlink "$h/claim")" = "$me" ] || leave 213
take_turn
[ -e "$h/cancel" ] && leave 215
# A controller that lost its last seconds may start a job of the same id again, which has begun or even ended already.
begun=$h/begun.${SLURM_RESTART_COUNT:-0}
if ! ln -s "$me" "$begun" 2>/dev/null; then
  [ -L "$begun" ] && leave 213
  leave 216
fi

pid=
early=
got=
signals=
expired=
pass_on() {
  got=1
  signals="${signals:+$signals,}$1"
  if [ -n "$pid" ]; then kill -s "$1" "$pid" 2>/dev/null; else early="$early $1"; fi
}
for signal in TERM INT HUP USR1 USR2 CONT XCPU; do
  # shellcheck disable=SC2064
  trap "pass_on $signal" "$signal"
done

started=$(date +%s)
host=$(hostname)
rm -f "$h/end"
rm -f "$board/$key" 2>/dev/null
begin="native_id=$me host=$host pid=$$ started=$started $about"
note start "$begin" || echo "howdah start $begin"

# A shell makes its background jobs deaf to INT and QUIT; where env can undo that, it does.
hears=
env --default-signal=INT,QUIT true 2>/dev/null && hears="env --default-signal=INT,QUIT"
# shellcheck disable=SC2086
HOWDAH_KEY=$key $hears $runs "$h/command" >"$h/stdout" 2>"$h/stderr" </dev/null &
pid=$!
for signal in $early; do kill -s "$signal" "$pid" 2>/dev/null; done
begin_watch

# A signal ends `wait` before the program ends.
wait "$pid"
code=$?
while [ -n "$got" ]; do
  got=
  wait "$pid"
  again=$?
  [ "$again" -ne 127 ] && code=$again
done

# Slurm tells srun, which runs in the program, that a part was killed for its memory; the program may go on without.
oom=
case $(tail -c 4096 "$h/stderr") in *"oom_kill event"*|*"oom-kill event"*) oom=1 ;; esac 2>/dev/null
# A signal to the whole job may have ended the program a moment before it comes here.
ended=$(date +%s)
end="exit_code=$code signals=$signals started=$started ended=$ended host=$host cause=$expired oom=$oom $about"
# With the quota used up, the scheduler's log may still have room in its last block.
if note end "$end"; then
  # For whoever looks at all jobs at once. The scratch may be shared, so only on a board of our own, which nobody can
  # exchange for another while we are in it; without one the end is found all the same.
  ( [ ! -L "$board" ] && cd -P "$board" && [ -O . ] && true >>"$key" ) 2>/dev/null
else
  echo "howdah end $end"
fi
clear_away
exit "$code"
