# Set before: scratch; and corner.sh. Who listens may be cut off at any time: nothing of us may stay behind.
exec 3<&0
timeout 3600 cat <&3 >/dev/null 2>&1 3<&- &
listener=$!
exec 3<&-
trap 'kill "$listener" 2>/dev/null' EXIT
trap 'exit 0' HUP INT TERM PIPE
IFS=/
before=
turn=0
# The shell itself reads the names: at rest a turn costs one `sleep`, however many there are.
while kill -0 "$listener" 2>/dev/null; do
  if [ $((turn % 10)) -eq 0 ]; then
    open_corner
    printf '\n' || exit 0
  fi
  turn=$((turn + 1))
  set --
  # By its name every time: it may have been purged and made anew.
  [ -n "$corner" ] && cd "$common/$uid/ended" 2>/dev/null && set -- hd-*
  now="$*"
  if [ "$now" != "$before" ]; then
    printf '%s//%s/' "$before" "$now" | awk -v RS=/ '
      $0 == "" { new = 1; next }
      !new { old[$0]; next }
      !($0 in old) && /^hd-[A-Za-z0-9._-]+$/ { print }' || exit 0
    before=$now
  fi
  sleep 1
done
