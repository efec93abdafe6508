# Carries out the parts p_a, p_b, ... of one script, some at a time, and tells what each of them said as soon as it ends.
# Set before: mark (begins every answer), parts (a letter for each), lanes (how many at a time), enough (seconds after
# which no further part is begun).

# One write that no pipe takes apart, one line whatever was said: nothing a program says begins an answer, or ends one.
# When nobody hears it any more, the lane ends: who asks again must not find eight at it.
tell() {
  text=$2
  if [ "${#text}" -gt 3500 ]; then
    text="$(printf '%s' "$text" | head -c 1700)
...
$(printf '%s' "$text" | tail -c 1700)"
  fi
  case $text in *[!!-~\ ]*) text=$(printf '%s' "$text" | tr '\n\002' '\001 ') ;; esac
  printf '%s %s said %s\002\n' "$mark" "$1" "$text" || exit
}

# Whoever has time takes the next letter: one that hangs keeps one lane, not those behind it.
lane() {
  while part=$(dd bs=1 count=1 <&3 2>/dev/null) && [ -n "$part" ]; do
    if [ $(($(date +%s) - began)) -ge "$enough" ]; then
      printf '%s %s late\002\n' "$mark" "$part"
      continue
    fi
    said=$(
      exec </dev/null 3<&- 2>&1
      "p_$part"
    )
    tell "$part" "$said"
  done
}

began=$(date +%s)
printf %s "$parts" | {
  exec 3<&0
  while [ "$lanes" -gt 0 ]; do
    lane &
    lanes=$((lanes - 1))
  done
  wait
}
